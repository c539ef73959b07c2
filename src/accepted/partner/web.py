"""The partner's HTTP: what the billing system calls, and what whoever directs the play asks and sets."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from accepted.partner import provider
from accepted.partner.desk import Desk, reply
from accepted.partner.faults import Facts, Rules
from accepted.partner.ledger import FILTERS, KINDS, Ledger
from accepted.partner.provider import Answer
from accepted.partner.signatures import secret_bytes

DESK = web.AppKey("desk", Desk)
BODY_LIMIT = 1 << 20


def build(ledger: Ledger, hang_limit: float) -> web.Application:
    """The partner as an aiohttp application over this ledger."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app[DESK] = Desk(ledger, hang_limit)
    app.router.add_post("/v1/charges", _charge)
    app.router.add_get("/v1/charges", _look_up_charges, allow_head=False)
    app.router.add_post("/v1/emails", _email)
    app.router.add_get("/v1/emails", _look_up_emails, allow_head=False)
    app.router.add_post("/hooks/{subscriber}", _hook)
    app.router.add_put("/subscribers/{subscriber}", _subscribe)
    app.router.add_get("/ledger", _ledger)
    app.router.add_get("/ledger/summary", _summary)
    app.router.add_get("/faults", _faults)
    app.router.add_put("/faults", _set_faults)
    app.router.add_delete("/faults", _lift_faults)
    app.router.add_get("/stats", _stats)
    app.router.add_delete("/stats", _forget_peak)
    app.router.add_get("/healthz", _healthz)
    app.on_shutdown.append(_release)
    return app


async def _charge(request: web.Request) -> web.StreamResponse:
    desk, raw, key = request.app[DESK], await request.read(), request.headers.get("Idempotency-Key")
    facts = Facts("charge", _keys(provider.reference_in(raw), key))
    return await desk.serve(request, facts, "charge", lambda call: provider.charge(desk.ledger, call, raw, key))


async def _email(request: web.Request) -> web.StreamResponse:
    desk, raw = request.app[DESK], await request.read()
    facts = Facts("email", _keys(provider.reference_in(raw)))
    return await desk.serve(request, facts, "email", lambda call: provider.email(desk.ledger, call, raw))


async def _hook(request: web.Request) -> web.StreamResponse:
    desk, raw, subscriber = request.app[DESK], await request.read(), request.match_info["subscriber"]
    facts = Facts("hook", _keys(request.headers.get("webhook-id")), subscriber)
    return await desk.serve(
        request,
        facts,
        "webhook",
        lambda call: provider.hook(desk.ledger, call, subscriber, request.headers, raw),
    )


async def _look_up_charges(request: web.Request) -> web.StreamResponse:
    return await _look_up(request, "charge")


async def _look_up_emails(request: web.Request) -> web.StreamResponse:
    return await _look_up(request, "email")


async def _look_up(request: web.Request, kind: str) -> web.StreamResponse:
    desk, reference = request.app[DESK], request.query.get("reference")
    facts = Facts("lookup", _keys(reference))
    return await desk.serve(request, facts, kind, lambda _: provider.lookup(desk.ledger, kind, reference))


class Subscriber(BaseModel):
    model_config = ConfigDict(extra="forbid")
    secret: str


async def _subscribe(request: web.Request) -> web.Response:
    try:
        wanted = Subscriber.model_validate_json(await request.read())
        secret_bytes(wanted.secret)
    except ValidationError as err:
        return reply(provider.refusal(400, err))
    except ValueError as err:
        return _bad(str(err))
    request.app[DESK].ledger.subscribe(request.match_info["subscriber"], wanted.secret)
    return web.Response(status=204)


async def _ledger(request: web.Request) -> web.Response:
    wanted = dict(request.query)
    after = wanted.pop("after", "0")
    unknown = set(wanted) - set(FILTERS)
    if unknown or not (after.isascii() and after.isdigit()):
        return _bad(f"filters are {', '.join(FILTERS)} and after (a seq)")
    if wanted.get("kind", KINDS[0]) not in KINDS:
        return _bad(f"kinds are {', '.join(KINDS)}")
    return web.json_response(request.app[DESK].ledger.listing(wanted, int(after)))


async def _summary(request: web.Request) -> web.Response:
    return web.json_response(request.app[DESK].ledger.summary())


async def _faults(request: web.Request) -> web.Response:
    return web.json_response({"rules": request.app[DESK].script.report()})


async def _set_faults(request: web.Request) -> web.Response:
    try:
        wanted = Rules.model_validate_json(await request.read())
    except ValidationError as err:
        return reply(provider.refusal(400, err))
    request.app[DESK].script.follow(wanted.rules)
    return await _faults(request)


async def _lift_faults(request: web.Request) -> web.Response:
    request.app[DESK].script.follow(())
    return web.Response(status=204)


async def _stats(request: web.Request) -> web.Response:
    gauge = request.app[DESK].gauge
    return web.json_response({"in_flight": dict(gauge.in_flight), "peak": dict(gauge.peak)})


async def _forget_peak(request: web.Request) -> web.Response:
    request.app[DESK].gauge.forget_peak()
    return web.Response(status=204)


async def _healthz(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _release(app: web.Application) -> None:
    app[DESK].script.follow(())


def _keys(*keys: str | None) -> tuple[str, ...]:
    return tuple(key for key in keys if key)


def _bad(message: str) -> web.Response:
    return reply(Answer(400, {"error": "invalid", "message": message}))
