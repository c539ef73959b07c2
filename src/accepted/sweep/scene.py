"""A stage under load: requests of all kinds keep coming while something happens to servers, lines and processes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Protocol

import psycopg

from accepted.oracle.history import Asked, History
from accepted.oracle.judge import judge
from accepted.oracle.verdict import Finding, Verdict
from accepted.stack.processes import until
from accepted.sweep.lane import Lane
from accepted.sweep.stage import Stage
from accepted.sweep.stories import Request, email, payout, report, webhooks

SPACING = 0.08  # s between two requests


class Breakable(Protocol):
    """A server that can be broken on purpose. Raises Problem where it is not ours."""

    def kill(self) -> None: ...
    def launch(self) -> None: ...
    def ready(self, seconds: float = 30.0) -> None: ...
    def restart(self, immediate: bool = False, seconds: float = 30.0) -> None: ...
    def wipe(self) -> None: ...


class Scene:
    """What a fault acts in. `lease`: seconds; `marks`: what was done, for the page."""

    def __init__(self, stage: Stage, rng: Random) -> None:
        self.stage, self.rng = stage, rng
        self.stack, self.proxies, self.runner = stage.stack, stage.proxies, stage.stack.runner
        self.lane = Lane(stage)
        self.lease = float(stage.env["LEASE"])
        self.marks: list[tuple[float, str]] = []
        self.asked: list[Asked] = []
        self.findings: list[Finding] = []
        self.unknown: str | None = None  # why the fault did not happen as it should
        self._since = 0

    @property
    def broker(self) -> Breakable:
        """The broker's server."""
        found: Breakable = self.stack.rabbitmq or self.stack.redis
        return found

    def begin(self) -> None:
        """A new case: nothing asked, no faults at the partner."""
        self.marks, self.asked, self.findings, self.unknown = [], [], [], None
        if not self.stage.settle():
            self.unknown = f"the system did not come to rest before the case: {self.stage.restless()}"
        self.stage.play()
        self._since = self.stage.ledger_seq()
        self.proxies.open()

    def mark(self, text: str) -> None:
        self.marks.append((time.time(), text))

    def some(self, number: int) -> list[Request]:
        """Requests of all kinds: payouts of three accounts, so that order counts; versions of a few invoices."""
        objects, made = self.stage.objects, []
        invoices = [objects.invoice() for _ in range(3)]
        for n in range(number):
            match n % 6:
                case 0 | 1 | 3:
                    made.append(payout(objects, objects.accounts[n % 3], stumble=self.rng.random() < 0.3))
                case 2:
                    made.append(email(objects))
                case 4:
                    status = self.rng.choice(["open", "paid"])
                    path = f"/v1/invoices/{self.rng.choice(invoices)}"
                    made.append(Request("webhook.fanout", path, {"status": status}, method="PUT"))
                case _:
                    made.append(report(objects) if self.rng.random() < 0.3 else webhooks(objects))
        return made

    def ask(self, requests: Sequence[Request], strict: bool = False) -> None:
        """One after the other, each repeated until it is accepted."""
        self.stage.play(*(rule for one in requests for rule in one.rules))
        for one in requests:
            self.asked.append(self.stage.client.ask(one, 40, strict))
            time.sleep(SPACING)

    @contextmanager
    def load(self, number: int = 36) -> Iterator[None]:
        """Asks in a thread while the block runs; leaves when both are done."""
        trouble: list[BaseException] = []

        def ask() -> None:
            try:
                self.ask(self.some(number))
            except BaseException as error:
                trouble.append(error)

        thread = threading.Thread(target=ask, name="load")
        thread.start()
        try:
            until(lambda: len(self.asked) >= number // 4 or not thread.is_alive(), 30)
            yield
        finally:
            thread.join()
        if trouble:
            raise trouble[0]

    def close(self, note: str) -> tuple[Verdict, History]:
        """Drains and judges."""
        refused, self.stage.client.refused = self.stage.client.refused, []
        self.findings += [Finding("refused", note, what) for what in refused]
        drained = self.lane.drained(self.asked)
        self.stage.settle()
        history = self.lane.history(self.asked, drained, self._since, note)
        verdict = judge(history)
        found = (*self.findings, *verdict.findings)
        return Verdict(found, verdict.unknown or (None if found else self.unknown)), history

    def row(self, statement: str, *values: object) -> tuple[object, ...]:
        """One row of the database, asked past all lines."""
        with psycopg.connect(self.stage.where.database) as connection:
            return connection.execute(statement.encode(), values).fetchone() or ()

    def wait(self, what: str, condition: Callable[[], bool], seconds: float) -> bool:
        """Polls; where it does not come true, the case can't be judged."""
        if until(condition, seconds):
            return True
        self.unknown = f"{what}: not within {seconds:.0f} s"
        return False
