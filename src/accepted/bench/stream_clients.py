"""Thousands of clients of the event stream, each following a job of its own, in one process.

Counted: of every event that arrives once all streams are open, the time from its commit (`at`, by PostgreSQL's clock,
taken a moment before the commit) to the arrival of its bytes here: one machine, one clock.
"""

import asyncio
import json
import resource
import sys
import time
from datetime import datetime
from typing import Any, cast

from accepted.bench.aside import answer, told

AT_ONCE = 50  # streams that are being opened
OPENING = 30.0  # seconds for one


class _Client(asyncio.Protocol):
    def __init__(self, crowd: "Crowd", request: bytes) -> None:
        self.crowd, self.request = crowd, request
        self.buffer = b""
        self.ready: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        arrived = time.time()
        self.buffer += data
        if not self.ready.done():
            # The answer's head, and with it the first write of the stream: what was before.
            if b"\r\n\r\n" not in self.buffer or b"\n\n" not in self.buffer.split(b"\r\n\r\n", 1)[1]:
                return
            self.ready.set_result(self.buffer[9:12])
            self.buffer = b""
            return
        # Each event is written whole, so the lengths of the chunked coding never stand within one.
        *events, self.buffer = self.buffer.split(b"\n\n")
        for event in events:
            start = event.find(b"data: ")
            if start >= 0 and self.crowd.counting:
                at = json.loads(event[start + 6 :])["at"]
                self.crowd.waits.append((arrived - datetime.fromisoformat(at).timestamp()) * 1000)

    def connection_lost(self, error: Exception | None) -> None:
        self.crowd.lost += 1
        if not self.ready.done():
            self.ready.set_result(b"cut")


class Crowd:
    def __init__(self) -> None:
        self.waits: list[float] = []
        self.lost = 0
        self.counting = False

    async def run(self, spec: dict[str, Any]) -> None:
        opening = asyncio.Semaphore(AT_ONCE)
        began = time.perf_counter()

        async def one(job_id: str) -> bytes:
            lines = (
                f"GET /jobs/{job_id}/events HTTP/1.1", f"Host: 127.0.0.1:{spec['port']}",
                f"Authorization: Bearer {spec['token']}", "Accept: text/event-stream", "", "",
            )  # fmt: skip
            async with opening:
                async with asyncio.timeout(OPENING):
                    _, client = await asyncio.get_running_loop().create_connection(
                        lambda: _Client(self, "\r\n".join(lines).encode()), "127.0.0.1", spec["port"]
                    )
                    return await client.ready

        statuses = await asyncio.gather(*(one(each) for each in spec["job_ids"]))
        self.counting = True
        opened = sum(1 for status in statuses if status == b"200") - self.lost
        answer({"open": opened, "seconds": time.perf_counter() - began})
        wanted = await asyncio.get_running_loop().run_in_executor(None, told)  # so many were written
        give_up = time.perf_counter() + wanted["within"]
        while len(self.waits) < wanted["events"] and time.perf_counter() < give_up:
            await asyncio.sleep(0.02)
        answer({"waits": self.waits, "lost": self.lost})


def main() -> None:
    spec = told()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(spec["job_ids"]) + 200
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            sys.exit(f"{hard} open files are allowed, and {wanted} are needed; raise the limit: ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    asyncio.run(Crowd().run(spec))


if __name__ == "__main__":
    main()
