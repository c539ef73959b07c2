"""export: how much memory a worker needs for a CSV of 1,000,000 lines.

Counted: the peak resident memory of the process that ran the job (VmHWM; where the system has no /proc, the most that
was seen in samples of 20 ms), minus its resident memory at rest after a small export. The file is fetched through
its signed URL, and its lines are counted.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from accepted.bench.effective import servers
from accepted.bench.measure import Bound, Figure, Invalid
from accepted.bench.room import Room
from accepted.stack.run import Stack
from billing.seed import PERIOD, token

BODY = {"format": "csv", "from": PERIOD[0].isoformat(), "to": PERIOD[1].isoformat()}
PROCESSES = ("web", "relay", "scheduler", "worker-cpu")
MB = 1_000_000
PATIENCE = 180.0  # seconds for the export


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    scale, lines = ("medium", 100_000) if room.quick else ("million", 1_000_000)
    room.say(f"export: making up {lines:,} invoice lines")
    with Stack(room.tree, backend=room.backend, processes=PROCESSES, seed=scale, env={"CPU_SLOTS": "1"}) as stack:
        known = servers(stack.env)
        _export(stack, "globex", lambda: None)  # a twentieth: everything is imported and open
        worker = _worker(stack)
        idle = worker.memory_info().rss
        memory = _Peak(worker)
        began = time.monotonic()
        job, (found, size) = _export(stack, "acme", memory.look)
        took = time.monotonic() - began
        peak = memory.peak()
        if not worker.is_running() or worker != _worker(stack):
            raise Invalid("export: the worker that was watched did not live to the end")
    if job["result"]["lines"] != lines or found != lines + 1:  # and the header
        raise Invalid(f"export: {job['result']['lines']:,} lines rendered, {found:,} in the file, {lines:,} expected")
    room.say(f"export: {lines:,} lines, {size / MB:.0f} MB in {took:.0f} s")
    return [
        Figure(
            "export", f"peak memory above idle, {lines:,} lines", "MB", [(peak - idle) / MB], Bound("most", 60.0),
            f"{peak / MB:.0f} MB", f"{idle / MB:.0f} MB idle",
        )
    ], known  # fmt: skip


class _Peak:
    """The most resident memory of a process since now, in bytes."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.most = process, 0
        self.status = Path(f"/proc/{process.pid}/status")
        with contextlib.suppress(OSError):
            # Linux: from here on the high-water mark starts anew. Where that is not allowed it holds the warm-up too,
            # which can only make the figure worse.
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def look(self) -> None:
        self.most = max(self.most, self.process.memory_info().rss)

    def peak(self) -> int:
        self.look()
        with contextlib.suppress(OSError):
            for line in self.status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return max(self.most, int(line.split()[1]) * 1024)
        return self.most


def _worker(stack: Stack) -> psutil.Process:
    """The pool's one worker: the process that runs the jobs."""
    (leader,) = stack.runner.pids("worker-cpu")
    workers = psutil.Process(leader).children(recursive=True)
    if len(workers) != 1:
        raise Invalid(f"export: the CPU pool has {len(workers)} processes below it, and should have one")
    return workers[0]


def _export(stack: Stack, tenant: str, look: Callable[[], None]) -> tuple[dict[str, Any], tuple[int, int]]:
    """The finished job, and the (lines, bytes) of its file."""
    headers = {"Authorization": f"Bearer {token(tenant, 7)}"}
    with httpx.Client(base_url=stack.addresses.web, headers=headers, timeout=30, trust_env=False) as http:
        accepted = http.post("/v1/reports", json=BODY)
        if accepted.status_code != 202:
            raise Invalid(f"export: POST /v1/reports was answered with {accepted.status_code}")
        job: dict[str, Any] = {}
        where, next_look = accepted.headers["Location"], 0.0
        give_up = time.monotonic() + PATIENCE
        while job.get("state") not in ("succeeded", "failed", "cancelled"):
            if time.monotonic() > give_up:
                raise Invalid(
                    f"export: not done within {PATIENCE:.0f} s, but {job.get('percent')} % {job.get('message')}"
                )
            look()
            if time.monotonic() >= next_look:
                job, next_look = http.get(where).raise_for_status().json()["job"], time.monotonic() + 0.25
            time.sleep(0.02)
        if job["state"] != "succeeded":
            raise Invalid(f"export: the job {job['state']}: {job.get('error')}")
    look()
    lines = size = 0
    with httpx.stream("GET", job["artifact"]["url"], follow_redirects=True, timeout=60, trust_env=False) as response:
        response.raise_for_status()
        for block in response.iter_bytes():
            lines += block.count(b"\n")
            size += len(block)
    return job, (lines, size)
