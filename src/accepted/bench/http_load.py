"""The load generator: keep-alive connections that write prepared bytes and read no more of an answer than they must.

It runs on the same cores as what it measures, so what it costs is taken from both sides alike, and the less that is,
the less it flatters the slower side: about 30 µs a request, a tenth of what an HTTP client library takes.

Closed loop: each connection sends its next request when the last is answered; requests/s and their latency.
Open loop: requests leave by the clock, whatever the answers do, and their latency counts from when they were due.
"""

import asyncio
import json
import re
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, cast

from accepted.bench.aside import answer, told

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)


@dataclass(frozen=True)
class Request:
    """What is sent again and again; `label` tells the latencies of different ones apart."""

    label: str
    raw: bytes

    @classmethod
    def make(cls, label: str, method: str, path: str, headers: dict[str, str], body: object = None) -> "Request":
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return cls(label, "\r\n".join([*lines, "", ""]).encode() + content)


@dataclass
class Tally:
    """Latencies are milliseconds by label; `seconds` is the time in which the counted answers came."""

    latencies: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self.load = load
        self.transport: asyncio.WriteTransport | None = None
        self.waiting: tuple[Request, float] | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def send(self, request: Request, due: float) -> None:
        assert self.transport
        self.waiting = (request, due)
        self.transport.write(request.raw)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self.buffer, 0, end + 2)
        if found is None or len(self.buffer) < end + 4 + int(found[1]):
            if found is None:
                self.load.failed(self)
            return
        status, self.buffer = self.buffer[9:12].decode(), b""
        if self.waiting:
            (request, due), self.waiting = self.waiting, None
            self.load.answered(self, request, due, status)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """One run of the generator."""

    def __init__(self, requests: Sequence[Request], warm_up: float, seconds: float, rate: float | None) -> None:
        self.next = cycle(requests)
        self.warm_up, self.seconds, self.rate = warm_up, seconds, rate
        self.tally = Tally()
        self.over = asyncio.Event()
        self.idle: deque[_Connection] = deque()
        self.late: deque[float] = deque()
        self.begin = self.end = 0.0
        self.closing = False

    async def run(self, port: int, connections: int) -> Tally:
        loop = asyncio.get_running_loop()
        links = [
            (await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port))[1] for _ in range(connections)
        ]
        now = time.perf_counter()
        self.begin, self.end = now + self.warm_up, now + self.warm_up + self.seconds
        cpu = time.process_time()
        if self.rate is None:
            for link in links:
                link.send(next(self.next), now)
            await asyncio.sleep(self.warm_up + self.seconds)
        else:
            self.idle.extend(links)
            await self._pace(now, self.rate)
        self.closing = True
        await self._settle(links)
        self.tally.cpu = time.process_time() - cpu
        self.tally.seconds = self.seconds
        for link in links:
            if link.transport:
                link.transport.abort()
        return self.tally

    async def _pace(self, start: float, rate: float) -> None:
        for number in range(int(rate * (self.warm_up + self.seconds))):
            due = start + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            if self.idle:
                self.idle.popleft().send(next(self.next), due)
            else:
                self.late.append(due)

    async def _settle(self, links: Sequence[_Connection]) -> None:
        """Waits for what is under way; what is not answered in 5 s is an error."""
        give_up = time.perf_counter() + 5
        while (self.late or any(link.waiting for link in links)) and time.perf_counter() < give_up:
            await asyncio.sleep(0.01)
        self.tally.errors += len(self.late) + sum(1 for link in links if link.waiting)

    def answered(self, link: _Connection, request: Request, due: float, status: str) -> None:
        now = time.perf_counter()
        # Closed loop counts what is answered in the window, open loop what was due in it.
        if self.begin <= (now if self.rate is None else due) < self.end:
            self.tally.latencies.setdefault(request.label, []).append((now - due) * 1000)
            self.tally.statuses[f"{request.label} {status}"] += 1
        if self.rate is not None:
            if self.late:
                link.send(next(self.next), self.late.popleft())
            else:
                self.idle.append(link)
        elif not self.closing:
            link.send(next(self.next), now)

    def failed(self, link: _Connection) -> None:
        self.tally.errors += 1
        link.waiting = None

    def lost(self, link: _Connection) -> None:
        if not self.closing:
            self.tally.errors += 1
        link.waiting = None


def main() -> None:
    spec: dict[str, Any] = told()
    requests = [Request.make(**each) for each in spec["requests"]]

    async def run() -> Tally:
        return await Load(requests, spec["warm_up"], spec["seconds"], spec["rate"]).run(
            spec["port"], spec["connections"]
        )

    tally = asyncio.run(run())
    answer({
        "latencies": {label: [round(one, 3) for one in found] for label, found in tally.latencies.items()},
        "statuses": tally.statuses, "errors": tally.errors, "seconds": tally.seconds, "cpu": tally.cpu,
    })  # fmt: skip


if __name__ == "__main__":
    main()
