"""A server with known faults, for the harness to find: `python -m accepted.load.planted PORT`.

It takes on work like the API, and does it at once; `PUT /plan` sets when it stalls. What it claims to have done is
asked with `GET /truth`, in the shape of the witnesses of a real run.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Planted:
    """`stall`: from when to when nothing is answered (epoch seconds). The numbers count accepted jobs from 0: those in
    `losing` have no effect, those in `doubling` two."""

    stall: tuple[float, float] = (0.0, 0.0)
    losing: frozenset[int] = frozenset()
    doubling: frozenset[int] = frozenset()
    jobs: list[dict[str, Any]] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=dict)


STATE = web.AppKey("state", Planted)


async def take_on(request: web.Request) -> web.Response:
    state, body = request.app[STATE], json.loads(await request.read())
    begins, ends = state.stall
    if begins <= time.time() < ends:
        await asyncio.sleep(ends - time.time())
    n, now = len(state.jobs), time.time()
    key = f"acme:payout:{body['reference']}:1"
    state.jobs.append({"id": f"job-{n}", "kind": "payout.send", "key": key, "state": "succeeded", "t_enq": now,
                       "t_start": now, "t_over": now, "attempts": 1})  # fmt: skip
    effects = 0 if n in state.losing else 2 if n in state.doubling else 1
    if effects:
        state.effects[key] = effects
    return web.json_response({}, status=202, headers={"Location": f"/jobs/job-{n}"})


async def plan(request: web.Request) -> web.Response:
    wanted = await request.json()
    state = request.app[STATE]
    state.stall = (wanted["stall"][0], wanted["stall"][1])
    state.losing, state.doubling = frozenset(wanted["losing"]), frozenset(wanted["doubling"])
    return web.Response(status=204)


async def truth(request: web.Request) -> web.Response:
    return web.json_response({"jobs": request.app[STATE].jobs, "effects": request.app[STATE].effects})


async def healthz(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def main(port: int) -> None:
    app = web.Application()
    app[STATE] = Planted()
    app.router.add_post("/v1/payouts", take_on)
    app.router.add_put("/plan", plan)
    app.router.add_get("/truth", truth)
    app.router.add_get("/healthz", healthz)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
