"""One connection through the proxy: bytes go on as they come, until the crossing comes at which something happens."""

import asyncio
import contextlib
from collections import deque
from typing import Protocol

from accepted.faults.crossings import Crossing, Window
from accepted.faults.weather import Weather
from accepted.faults.wire import Reader

CHUNK = 1 << 16
# After a reply was delivered the process gets this long (s) to act on it; its next request is held and ends the wait.
TO_ACT = 0.05
TO_CLOSE = 0.2  # s, for the kernel to close what a dead process held; one that lives goes on after it


class Exchange(Protocol):
    """What a connection knows of the proxies as a whole."""

    window: Window
    weather: Weather

    def fire(self, crossing: Crossing, port: int) -> bool:
        """Does what shall happen. Returns whether the process that owns the connection is still there."""

    def gate(self, process: str) -> "Gate":
        """The process's gate."""


class Gate:
    """Closed while something happens to a process: nothing that it sends goes on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.knocked = asyncio.Event()

    async def pass_through(self) -> bool:
        """Whether it had to wait."""
        waited = not self.open.is_set()
        while not self.open.is_set():
            self.knocked.set()
            await self.open.wait()
        return waited


class Connection:
    """`port` is the process's own end, by which its owner can be found."""

    def __init__(
        self, exchange: Exchange, process: str, service: str, reader: Reader,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:  # fmt: skip
        self.exchange, self.process, self.service, self.reader = exchange, process, service, reader
        self.client, self.server = client, server
        self.port = int(client[1].get_extra_info("peername")[1])
        self.pending: deque[Crossing] = deque()
        self._held: list[bytes] = []
        self._more = bytearray()  # read already, and still to be sent on
        self._over = False

    async def run(self) -> None:
        """Until either side ends."""
        pumps = [asyncio.create_task(self._outward()), asyncio.create_task(self._inward())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (self.client[1], self.server[1]):
                with contextlib.suppress(OSError):
                    writer.close()

    def cut(self) -> None:
        """A reset, to both sides."""
        for writer in (self.client[1], self.server[1]):
            writer.transport.abort()

    def renew(self, window: Window) -> None:
        """A window was opened: what is under way counts as its first."""
        self.pending = deque(
            window.begin(self.process, self.service, one.name, waiting=True) if one.name else one
            for one in self.pending
        )

    async def _outward(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := bytes(self._more) or await self.client[0].read(CHUNK):
                self._more.clear()
                for piece in self.reader.sent(data):
                    if await self.exchange.gate(self.process).pass_through() and await self._hung_up():
                        return  # killed with this on its lips: had it been killed a moment earlier, nobody had heard
                    await self.exchange.weather.pass_through(self.process, self.service)
                    if self._over:
                        return
                    crossing = self._begin(piece.begins) if piece.begins else None
                    if self._is(crossing, "before") and not self._fire(crossing):
                        return
                    if crossing is not None and piece.answered:
                        self.pending.append(crossing)
                    self.server[1].write(piece.data)
                    if crossing is not None and crossing.chosen and not piece.answered:
                        await self.server[1].drain()
                        if not await self._told(crossing):
                            return
                await self.server[1].drain()

    async def _inward(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self.server[0].read(CHUNK):
                for piece in self.reader.received(data):
                    await self.exchange.weather.pass_through(self.process, self.service)
                    if piece.begins and not await self._pushed(self._begin(piece.begins), piece.data):
                        return
                    if not piece.begins and not await self._answered(piece.data, piece.ends):
                        return
                await self.client[1].drain()

    async def _answered(self, data: bytes, ends: int) -> bool:
        """Passes on (a piece of) a reply. False where the connection is over."""
        over = [self.pending.popleft() for _ in range(min(ends, len(self.pending)))]
        for one in over:
            one.answered_at = asyncio.get_running_loop().time()
        waited_for = [*over, *list(self.pending)[: 0 if over else 1]]
        if any(self._is(one, "after") for one in waited_for):
            self._held.append(data)
            for one in over:
                if self._is(one, "after") and not self._fire(one):
                    return False
            if over:
                self.client[1].write(b"".join(self._held))
                self._held.clear()
            return True
        self.client[1].write(data)
        for one in over:
            if self._is(one, "reply") and not await self._told(one):
                return False
        return True

    async def _pushed(self, one: Crossing, data: bytes) -> bool:
        if (self._is(one, "before") or self._is(one, "after")) and not self._fire(one):
            return False
        self.client[1].write(data)
        return not self._is(one, "reply") or await self._told(one)

    async def _told(self, one: Crossing) -> bool:
        """The reply is delivered: the process may act on it, up to its next request."""
        gate = self.exchange.gate(self.process)
        gate.knocked.clear()
        gate.open.clear()
        try:
            await self.client[1].drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gate.knocked.wait(), TO_ACT)
            # What waits at the gate was sent before the kill, and must not go on after it.
            self._over = not self._fire(one)
            return not self._over
        finally:
            gate.open.set()

    async def _hung_up(self) -> bool:
        """Whether the process closed its end. A dead one's last thread takes a moment to; one that lives goes on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TO_CLOSE):
                while data := await self.client[0].read(CHUNK):
                    self._more += data
            return True
        return False

    def _begin(self, name: str) -> Crossing:
        return self.exchange.window.begin(self.process, self.service, name)

    def _is(self, one: Crossing | None, mode: str) -> bool:
        target = self.exchange.window.target
        return one is not None and one.chosen and target is not None and target.mode == mode

    def _fire(self, one: Crossing | None) -> bool:
        assert one is not None
        one.chosen = False
        return self.exchange.fire(one, self.port)
