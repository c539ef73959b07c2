"""Server-sent events, so that clients need not ask for a job over and over: the server looks, and tells them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import text

from billing.db import dispose, unit

from . import auth, progress, shapes
from .core import TERMINAL
from .streamhttp import Problem, cors, preflight, problems

POLL = 0.5  # seconds between two looks
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}

_LATEST = text(f"SELECT {shapes.VIEW} FROM jobs WHERE tenant_id = :tenant ORDER BY accepted_at DESC LIMIT 100")


async def _job(request: web.Request) -> web.StreamResponse:
    """One job, to its end. A browser's EventSource can't send a token, but nobody guesses a job's id."""
    job_id = shapes.job_id_of(request.match_info["job_id"])
    job = None if job_id is None else await asyncio.to_thread(_look, job_id)
    if job_id is None or job is None:
        raise Problem(404, "There is no such job.")
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    told = None
    while job is not None:
        if (news := _news(job)) != told:
            await _tell(response, job)
            told = news
        if job["state"] in TERMINAL:
            break
        await asyncio.sleep(POLL)
        job = await asyncio.to_thread(_look, job_id)
    return response


async def _tenant(request: web.Request) -> web.StreamResponse:
    """The tenant's newest jobs, from now on."""
    tenant = await asyncio.to_thread(
        auth.tenant_of, request.headers.get("Authorization"), request.cookies.get(auth.COOKIE)
    )
    if tenant is None:
        way = {"WWW-Authenticate": 'Bearer realm="accepted"'}
        raise Problem(401, "Send Authorization: Bearer TOKEN, or the cookie that POST /session gave.", way)
    told = {job["id"]: _news(job) for job in await asyncio.to_thread(_latest, tenant)}
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    while True:
        for job in reversed(await asyncio.to_thread(_latest, tenant)):
            if told.get(job["id"]) != _news(job):
                await _tell(response, job)
                told[job["id"]] = _news(job)
        await asyncio.sleep(POLL)


def _look(job_id: UUID) -> shapes.JobView | None:
    with unit() as s:
        return progress.read(s, job_id)


def _latest(tenant: str) -> list[shapes.JobView]:
    with unit() as s:
        return [shapes.view(row) for row in s.execute(_LATEST, {"tenant": tenant}).mappings()]


def _news(job: shapes.JobView) -> tuple[str, int, str]:
    return job["state"], job["percent"], job["message"]


async def _tell(response: web.StreamResponse, job: shapes.JobView) -> None:
    body: dict[str, Any] = {"job_id": job["id"], "seq": job["seq"], "state": job["state"]}
    body |= {"percent": job["percent"], "message": job["message"], "at": job["finished_at"] or job["started_at"]}
    await response.write(f"data: {json.dumps(body)}\n\n".encode())


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _app() -> web.Application:
    app = web.Application(middlewares=[problems])
    streams: dict[str, Callable[[web.Request], Any]] = {"/jobs/{job_id}/events": _job, "/events": _tenant}
    for path, handler in streams.items():
        app.router.add_get(path, handler, allow_head=False)
        app.router.add_options(path, preflight)
    app.router.add_get("/healthz", _health)
    app.on_response_prepare.append(cors)
    return app


def serve(host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    web.run_app(_app(), host=host, port=port, access_log=None, print=None, shutdown_timeout=1)
    dispose()
