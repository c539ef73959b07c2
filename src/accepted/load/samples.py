"""Once a second: how deep, how old, how busy. In a thread of its own; a look that fails is a hole, not an end."""

import os
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from accepted.stack.run import Stack

_LOOK = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'),
    count(*) FILTER (WHERE state = 'retrying'), count(*) FILTER (WHERE state = 'failed'),
    coalesce(extract(epoch FROM clock_timestamp() - min(accepted_at) FILTER (WHERE state <> 'failed')), 0)::float8,
    (SELECT count(*) FROM outbox WHERE published_at IS NULL)
FROM jobs WHERE state NOT IN ('succeeded', 'cancelled')
"""


class Samples:
    """`with Samples(stack) as samples:` looks while the block runs; `taken` is what it saw, `newest` the last of it."""

    def __init__(self, stack: Stack, every: float = 1.0) -> None:
        self._stack, self._every = stack, every
        self.taken: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._cpu: dict[int, float] = {}
        self._then = time.monotonic()

    def __enter__(self) -> Self:
        self._usage()  # the first look has nothing to compare with
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    @property
    def newest(self) -> Mapping[str, Any]:
        return self.taken[-1] if self.taken else {}

    def _run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while not self._stop.wait(self._every):
            seen: dict[str, Any] = {"at": time.time(), "load": os.getloadavg()[0], **self._usage(), **steal()}
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self._stack.addresses.database, autocommit=True, connect_timeout=2)
                row = connection.execute(_LOOK).fetchone() or ()
                names = ("queued", "running", "retrying", "failed", "oldest_age", "outbox")
                seen |= dict(zip(names, row, strict=False))
            except psycopg.Error as error:
                seen["error"] = type(error).__name__
                if connection is not None:
                    connection.close()
            self.taken.append(seen)
        if connection is not None:
            connection.close()

    def _usage(self) -> dict[str, Any]:
        """Shares of one core since the last look, processes by name, and the tree's memory by process (MiB)."""
        now, found, counts, memory = time.monotonic(), {}, {}, {}
        tree = {child.name for child in self._stack.runner.children()}
        families = _families()
        for name, pid in self._stack.leaders():
            everyone = _family(pid, families) if pid is not None else []
            if not everyone:
                continue
            used, held = 0.0, 0
            for process in everyone:
                try:
                    spent = sum(process.cpu_times()[:2])
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
                used += spent - self._cpu.get(process.pid, spent)
                self._cpu[process.pid] = spent
            found[name] = round(used / max(1e-3, now - self._then), 3)
            counts[name] = len(everyone)
            if name in tree:  # a server's is what it shares among its processes, counted for each
                memory[name] = round(held / 2**20, 2)
        self._then = now
        return {"cpu": found, "processes": counts, "memory": memory}


def _families() -> dict[int, list[psutil.Process]]:
    """Children by their parent's pid, from one look at the machine: a look for each leader would be load itself."""
    found: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter(["ppid"]):
        found.setdefault(process.info["ppid"], []).append(process)
    return found


def _family(pid: int, families: Mapping[int, list[psutil.Process]]) -> list[psutil.Process]:
    """The process and all below it; none where it is gone."""
    try:
        found = [psutil.Process(pid)]
    except psutil.Error:
        return []
    for each in found:
        found += families.get(each.pid, ())
    return found


def steal() -> dict[str, float]:
    """Seconds that the machine below has taken from us so far, where it tells."""
    return {"steal": float(getattr(psutil.cpu_times(), "steal", 0.0))}
