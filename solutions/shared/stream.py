"""Server-sent events, in a process of their own so that thousands of idle listeners never slow the API.

`/jobs/<id>/events` follows one job; its ids are the numbers of the job's events. `/events` follows all of a tenant's
jobs over one connection (a browser has six for a host); its ids are cursors. Either resumes where the client stood.
"""

import asyncio
import random
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from aiohttp import web

from billing.db import DatabaseDown, dispose
from billing.settings import settings

from . import auth, caps, shapes
from .cursors import Cursor
from .follow import Follower, JobFollower, TenantFollower
from .streamhttp import Problem, cors, preflight, problems
from .tail import Tail

log = structlog.get_logger(__name__)
T = TypeVar("T")
WRITE_TIMEOUT = 10.0  # seconds that a client may take to read what lies before it
DATABASE_TIMEOUT = 5.0  # seconds until a client that comes is told to come later
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back to fill a buffer
    "X-Content-Type-Options": "nosniff",
}


class Server:
    """The streams that are open, the one tail that feeds them, and the threads that ask Postgres for them."""

    def __init__(self) -> None:
        self.tail = Tail()
        self.taken = 0
        self.stopping = False
        self._followers: set[Follower] = set()
        self._threads = ThreadPoolExecutor(caps.connections("stream") - 1, thread_name_prefix="clients")
        self._random = random.Random()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[problems], client_max_size=1024)
        for path, handler in (("/jobs/{job_id}/events", self._job), ("/events", self._tenant)):
            app.router.add_get(path, handler, allow_head=False)
            app.router.add_options(path, preflight)
        app.router.add_get("/healthz", self._health)
        app.on_response_prepare.append(cors)
        return app

    def stop(self) -> None:
        """Ends every stream cleanly; their clients come back to whoever listens here next."""
        self.stopping = True
        for follower in self._followers:
            follower.offer(None)

    def close(self) -> None:
        self.tail.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _health(self, _: web.Request) -> web.Response:
        age = round(time.monotonic() - self.tail.last_read, 3) if self.tail.seen else None
        body = {"status": "ok", "streams": self.taken, "cap": settings().sse_cap, "seconds_since_last_read": age}
        return web.json_response(body)

    async def _job(self, request: web.Request) -> web.StreamResponse:
        with_id, last = shapes.job_id_of(request.match_info["job_id"]), last_id(request) or "0"
        if not (last.isascii() and last.isdigit() and len(last) < 10):
            raise Problem(400, "Last-Event-ID must be a number, one that this stream sent as id.")
        async with self._slot():
            tenant = await self._tenant_of(request)
            if with_id is None:
                raise _no_such_job()
            return await self._serve(request, JobFollower(with_id, tenant, int(last)))

    async def _tenant(self, request: web.Request) -> web.StreamResponse:
        words = last_id(request) or request.query.get("since", "")
        try:
            place = Cursor.parse(words) if words else None
        except ValueError:
            raise Problem(400, "Last-Event-ID and since must be an id that this stream sent, unchanged.") from None
        async with self._slot():
            return await self._serve(request, TenantFollower(await self._tenant_of(request), place, self.tail))

    async def _serve(self, request: web.Request, follower: Follower) -> web.StreamResponse:
        # Listen first and read what was before afterwards: in the other order, what lies between them is lost.
        try:
            self._followers.add(follower)
            await self._listen(follower)
            first = await self._ask(follower.catch_up)
            if first is None:
                raise _no_such_job()
            if follower.ended and not first:
                # EventSource comes back after every end of a stream; 204 is how it is told not to.
                return web.Response(status=204)
            response = web.StreamResponse(headers=HEADERS)
            follower.cut = lambda: request.transport.abort() if request.transport else None
            await response.prepare(request)
            # Spread, so that those who were cut off together don't all come back together.
            await self._write(response, f"retry: {self._random.randint(1000, 3000)}\n\n".encode() + first)
            try:
                async for chunk in self._chunks(follower):
                    await self._write(response, chunk)
                await response.write_eof()
            except (ConnectionError, TimeoutError):
                follower.cut()
            return response
        finally:
            self._followers.discard(follower)
            self.tail.leave(follower)

    async def _chunks(self, follower: Follower) -> AsyncIterator[bytes]:
        """Events as they come, a heartbeat after each silence, until the follower's end or the server's."""
        while not follower.ended and not self.stopping:
            if follower.behind:
                try:
                    chunk = await self._ask(follower.catch_up)
                except Problem:  # the database is away, and what is missing stays missing until it is back
                    await asyncio.sleep(min(1.0, settings().sse_heartbeat))
                    chunk = follower.heartbeat()
                if chunk is None:  # the job was cleaned away meanwhile
                    return
                yield chunk
                continue
            try:
                async with asyncio.timeout(settings().sse_heartbeat):
                    batch = await follower.queue.get()
            except TimeoutError:
                yield follower.heartbeat()
                continue
            chunk = b"" if batch is None else follower.encode(batch)
            if chunk:
                yield chunk

    @staticmethod
    async def _write(response: web.StreamResponse, chunk: bytes) -> None:
        async with asyncio.timeout(WRITE_TIMEOUT):
            await response.write(chunk)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        cap = settings().sse_cap
        if self.taken >= cap or self.stopping:
            wait = str(self._random.randint(2, 10))
            raise Problem(503, f"All {cap} streams are taken; poll the job meanwhile.", {"Retry-After": wait})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def _tenant_of(self, request: web.Request) -> str:
        authorization, cookie = request.headers.get("Authorization"), request.cookies.get(auth.COOKIE)
        tenant = await self._ask(lambda: auth.tenant_of(authorization, cookie))
        if tenant is None:
            way = {"WWW-Authenticate": 'Bearer realm="accepted"'}
            raise Problem(401, "Send Authorization: Bearer TOKEN, or the cookie that POST /session gave.", way)
        return tenant

    async def _listen(self, follower: Follower) -> None:
        try:
            await self.tail.listen(follower, DATABASE_TIMEOUT)
        except TimeoutError:
            raise _database_down() from None

    async def _ask(self, question: Callable[[], T]) -> T:
        """The answer of a blocking question. Raises Problem 503 while the database is away."""
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT):
                return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except (DatabaseDown, TimeoutError):
            raise _database_down() from None


def last_id(request: web.Request) -> str:
    """Where the client stood. The header wins: a browser that comes back repeats the query it once came with."""
    return request.headers.get("Last-Event-ID", "").strip() or request.query.get("last_event_id", "")


def _no_such_job() -> Problem:
    return Problem(404, "There is no such job, or it is not yours.")


def _database_down() -> Problem:
    return Problem(503, "The database doesn't answer. Come again.", {"Retry-After": "2"})


def serve(host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT; then ends every stream and returns."""
    # A stream is a file descriptor, and the usual soft limit of 1024 would be the cap long before SSE_CAP is.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings().sse_cap + 256
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    settings().secret()
    asyncio.run(_run(host, port))
    dispose()


async def _run(host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    server = Server()
    # Cancellation tells a handler at once that its client left; without it, a slot is lost until the next write.
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=2.0)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    log.info("streams are served", host=host, port=port)
    tail = asyncio.create_task(server.tail.run())
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({tail, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    tail.cancel()
    await runner.cleanup()
    server.close()
    if tail in done:
        tail.result()  # an error that nobody foresaw: end, loudly, and be started again
