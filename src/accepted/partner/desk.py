"""Where every call to the partner passes: it is noted, meets its fault, has its effect, and is answered or broken."""

import asyncio
import math
import time
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from accepted.partner.faults import Act, Facts
from accepted.partner.gauge import Gauge
from accepted.partner.ledger import Ledger
from accepted.partner.provider import Answer
from accepted.partner.script import Script

Effect = Callable[[int], Answer]  # call seq -> answer


class Desk:
    """`hang_limit`: seconds after which even a hanging call is cut."""

    def __init__(self, ledger: Ledger, hang_limit: float) -> None:
        self.ledger = ledger
        self.script = Script()
        self.gauge = Gauge()
        self._hang_limit = hang_limit
        self._calls: set[asyncio.Task[web.StreamResponse]] = set()

    async def serve(self, request: web.Request, facts: Facts, kind: str, effect: Effect) -> web.StreamResponse:
        """Take one call. The call goes on when its client leaves: a real provider would finish the charge, too."""
        gone = asyncio.Event()
        task = asyncio.create_task(self._take(request, facts, kind, effect, gone))
        self._calls.add(task)
        task.add_done_callback(self._forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            gone.set()
            raise

    def _forget(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # seen by the client if there is one still; without one there is no one to tell

    async def _take(
        self, request: web.Request, facts: Facts, kind: str, effect: Effect, gone: asyncio.Event
    ) -> web.StreamResponse:
        with self.gauge.inside(facts.op):
            call = self._note(request, facts, kind)
            verdict = self.script.meet(facts)
            act = verdict.act or Act.model_construct()
            if act.delay:
                await asyncio.sleep(act.delay)
            if act.drop:
                return self._cut(request, call, "drop", rule=verdict.rule)
            if act.hang:
                until = await self.script.hold(gone, self._hang_limit)
                return self._cut(request, call, "hang", rule=verdict.rule, until=until)
            answer = effect(call) if act.status is None else _fault(act, act.status)
            if act.accept_then_drop:
                return self._cut(request, call, "accept_then_drop", rule=verdict.rule, **answer.about)
            if act.accept_then_hang:
                until = await self.script.hold(gone, self._hang_limit)
                return self._cut(request, call, "accept_then_hang", rule=verdict.rule, until=until, **answer.about)
            self.ledger.finish(
                call,
                answer.status,
                "client left" if gone.is_set() else None,
                rule=verdict.rule,
                **answer.about,
            )
            return reply(answer)

    def _note(self, request: web.Request, facts: Facts, kind: str) -> int:
        headers = request.headers
        return self.ledger.arrive(
            op=facts.op,
            kind=kind,
            key=facts.key,
            subscriber=facts.subscriber,
            idempotency_key=headers.get("Idempotency-Key"),
            traceparent=headers.get("traceparent"),
            user_agent=headers.get("User-Agent"),
            worker=headers.get("X-Worker"),
        )

    def _cut(self, request: web.Request, call: int, broke: str, **about: object) -> web.Response:
        """End the connection without a byte of reply (the client sees a reset)."""
        self.ledger.finish(call, None, broke, **about)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # goes nowhere: the connection is gone


def reply(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    return web.json_response(answer.body, status=answer.status, headers=answer.headers)


def _fault(act: Act, status: int) -> Answer:
    headers = {}
    if act.retry_after is not None:
        headers["Retry-After"] = str(act.retry_after)
    elif act.retry_after_date is not None:
        # Dates hold whole seconds: round up, so that who waits for the date never comes early.
        headers["Retry-After"] = formatdate(math.ceil(time.time() + act.retry_after_date), usegmt=True)
    return Answer(status, {"error": "fault", "message": "the partner was told to answer this"}, headers)
