"""The proxies of one run, in a thread of their own: a port for each process and each service that it talks to."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from accepted.faults.amqp import Amqp
from accepted.faults.connection import Connection, Gate
from accepted.faults.crossings import Crossing, Target, Window
from accepted.faults.http import Http
from accepted.faults.pg import Postgres
from accepted.faults.resp import Resp
from accepted.faults.weather import Line, Weather
from accepted.faults.wire import Opaque, Reader

READERS: dict[str, Callable[[], Reader]] = {
    "postgresql": Postgres, "redis": Resp, "amqp": Amqp, "http": Http, "opaque": Opaque,
}  # fmt: skip
Strike = Callable[[Crossing, int], bool]  # what happens at the crossing; returns whether the owner still lives
T = TypeVar("T")


class Proxies:
    """`with Proxies() as proxies:`. Public methods may be called from any thread but the proxies' own."""

    def __init__(self) -> None:
        self.window = Window()
        self.weather: Weather
        self.last: dict[str, float] = {}  # process: when it last began something (monotonic)
        self._strike: Strike | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxies", daemon=True)
        self._gates: dict[str, Gate] = {}
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()

        async def prepare() -> None:
            self.weather = Weather()

        self._call(prepare())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def listen(self, process: str, service: str, protocol: str, host: str, port: int) -> int:
        """Opens a port of 127.0.0.1 for `process`, through which it reaches `host:port`."""
        return self._call(self._listen(process, service, READERS[protocol], host, port))

    def open(self, target: Target | None = None, strike: Strike | None = None) -> Window:
        """Opens a new window, in which `strike` happens at the target; the one before is over."""
        return self._call(self._open(Window(target), strike))

    def waiting(self, process: str) -> list[str]:
        """Names of the crossings of that process that are under way, or will be pushed: `service: name`."""
        return sorted(
            f"{one.service}: {crossing}"
            for one in tuple(self._connections) if one.process == process
            for crossing in (*(each.name for each in tuple(one.pending)), *one.reader.awaits())
        )  # fmt: skip

    def cut(self, process: str | None = None, service: str | None = None) -> int:
        """Resets every such connection; returns how many."""
        line = Line(process, service)

        async def cut() -> int:
            found = [one for one in self._connections if line.covers(one.process, one.service)]
            for one in found:
                one.cut()
            return len(found)

        return self._call(cut())

    def silence(self, process: str | None = None, service: str | None = None) -> Callable[[], None]:
        """A blackhole: both sides believe that they are connected. Returns what ends it; then all arrives, late."""
        return self._until(self.weather.silent.add, self.weather.silent.discard, Line(process, service))

    def slow_down(self, seconds: float, process: str | None = None, service: str | None = None) -> Callable[[], None]:
        """Every piece takes so much longer. Returns what ends it."""
        slow = self.weather.slow

        def begin(line: Line) -> None:
            slow[line] = seconds

        def end(line: Line) -> None:
            slow.pop(line, None)

        return self._until(begin, end, Line(process, service))

    # -- for the connections, in the loop

    def fire(self, crossing: Crossing, port: int) -> bool:
        try:
            return True if self._strike is None else self._strike(crossing, port)
        except Exception as error:  # the bytes go on; whoever aimed is told
            self.window.trouble = error
            return True
        finally:
            self.window.fired.set()

    def gate(self, process: str) -> Gate:
        self.last[process] = time.monotonic()
        return self._gates.setdefault(process, Gate())

    # -- within

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _until(self, begin: Callable[[Line], object], end: Callable[[Line], object], line: Line) -> Callable[[], None]:
        async def change(how: Callable[[Line], object]) -> None:
            how(line)
            self.weather.changed()

        self._call(change(begin))
        return lambda: self._call(change(end))

    async def _open(self, window: Window, strike: Strike | None) -> Window:
        self._strike, self.window = strike, window
        for one in self._connections:
            one.renew(window)
        return window

    async def _listen(self, process: str, service: str, reader: Callable[[], Reader], host: str, port: int) -> int:
        async def accept(client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(process, service, reader(), (client, writer), host, port)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 20)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(
        self, process: str, service: str, reader: Reader,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter], host: str, port: int,
    ) -> None:  # fmt: skip
        try:
            await self.weather.pass_through(process, service)
            server = await asyncio.open_connection(host, port, limit=1 << 20)
        except OSError:
            client[1].transport.abort()  # as if nobody listened
            return
        one = Connection(self, process, service, reader, client, server)
        self._connections.add(one)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await one.run()
        finally:
            self._connections.discard(one)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for one in tuple(self._connections):
            one.cut()
        await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
