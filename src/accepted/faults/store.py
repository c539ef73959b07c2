"""The kit's object store inside this process: each call to it is on record, and an answer can be held back."""

import asyncio
import math
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from accepted.listening import listen
from accepted.store.layout import Layout
from accepted.store.objects import Objects
from accepted.store.parts import Uploads
from accepted.store.requestlog import REQUEST, RequestLog
from accepted.store.web import build

BUCKET, SECRET = "artifacts", "a-run-of-its-own"
LOOK = 0.01  # s between two looks at whether a held call's client is still there
UPLOADS: dict[str, str] = {"POST": "complete", "PUT": "part", "DELETE": "abort"}
OBJECTS: dict[str, str] = {"GET": "get", "HEAD": "get", "DELETE": "delete"}


@dataclass
class Call:
    """One request. Times are seconds since the epoch. op: begin, part, complete, abort, get, stat, list or delete.

    `size`: bytes received of a part, known when it was stored. `held`: since when its answer is kept back. `left`:
    when its client was seen to be gone, in place of an answer. `released`: it is held back no longer.
    """

    at: float
    op: str
    key: str
    upload: str | None
    number: int | None
    status: int | None = None
    size: int = 0
    held: float | None = None
    left: float | None = None
    ended: float | None = None
    released: bool = False

    @property
    def stored(self) -> bool:
        """Whether it is a part that the store has kept."""
        return self.op == "part" and self.status == 200

    def __str__(self) -> str:
        what = f"{self.op} {self.key}" + (f" part {self.number}, {self.size:,} bytes" if self.op == "part" else "")
        done = f"{self.status}" if self.status else "nothing yet"
        if self.left is not None:
            return f"store  {what} → {done}; its client left after {self.left - self.at:.1f} s"
        return f"store  {what} → {done}" + (", and the answer is held back" if self.held and not self.ended else "")


Rule = Callable[[Call], float]  # for how many seconds the answer is held back


class HeldStore:
    """`with HeldStore() as store:` serves at `store.url` (an OBJECT_STORE_URL) until the block is left.

    `rule` is asked for each call, before it is done (its `status` is None) and after. What it returns is for how long
    the call is held back then; `math.inf`: until its client is gone or it is released. A part: only after.
    """

    url: str

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.rule: Rule = lambda call: 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="accepted-store-")
        self._root = Path(self._folder.name)
        self._layout = Layout(self._root)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="held store", daemon=True)

    def __enter__(self) -> Self:
        sock = listen(0)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}/{BUCKET}?secret={SECRET}"
        app = build(self._layout, SECRET, RequestLog(None))
        app.middlewares.insert(0, self._recorded)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

        async def serve() -> None:
            await self._runner.setup()
            await web.SockSite(self._runner, sock).start()

        self._thread.start()
        asyncio.run_coroutine_threadsafe(serve(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._folder.cleanup()

    def release(self) -> None:
        """Nothing is held any more, neither now nor later."""
        self.rule = lambda call: 0.0
        for call in list(self.calls):
            call.released = True

    def held(self) -> list[Call]:
        """The calls that wait for their answer just now."""
        return [call for call in list(self.calls) if call.held and call.left is None and call.ended is None]

    def objects(self) -> list[str]:
        """The keys of the objects that are there."""
        return [str(about["key"]) for about in Objects(self._layout, Uploads(self._layout)).list(BUCKET, "")]

    def uploads(self) -> list[str]:
        """The keys of the uploads that were begun and neither completed nor aborted."""
        return [str(about["key"]) for about in Uploads(self._layout).list(BUCKET, "")]

    @property
    def _recorded(self) -> Any:
        @web.middleware
        async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if "key" not in request.match_info:
                return await handler(request)
            call = _call(request)
            self.calls.append(call)
            try:
                if call.op != "part":
                    await self._hold(request, call)
                answer = await handler(request)
                call.size, call.status = request[REQUEST]["bytes"], answer.status
                if request[REQUEST].get("broke"):
                    call.status, call.left = None, call.left or time.time()
                else:
                    await self._hold(request, call)
                return answer
            finally:
                call.ended = time.time()

        return recorded

    async def _hold(self, request: web.Request, call: Call) -> None:
        seconds, began = self.rule(call), time.monotonic()
        if seconds <= 0:
            return
        call.held = time.time()
        while not call.released and (seconds == math.inf or time.monotonic() < began + seconds):
            if request.transport is None or request.transport.is_closing():
                call.left = time.time()
                return
            await asyncio.sleep(LOOK)


def _call(request: web.Request) -> Call:
    query = request.query
    if request.method == "POST" and "upload" not in query:
        op = "begin"
    elif "upload" in query:
        op = UPLOADS.get(request.method, "get")
    else:
        op = "stat" if "stat" in query else OBJECTS.get(request.method, "get")
    part = query.get("part", "")
    number = int(part) if part.isdecimal() and len(part) < 9 else None
    return Call(time.time(), op, request.match_info["key"], query.get("upload"), number)
