"""The workers that an autoscaler started, counted from outside: the children of its process, orphaned or not."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psutil

from accepted.stack import processes
from accepted.stack.runner import Runner

PAUSE = 0.1  # s


class Watch:
    """Counts in a thread of its own, for as long as the block lasts. `counts`: (seconds since the epoch, how many)."""

    def __init__(self, runner: Callable[[], Runner]) -> None:
        self.counts: list[tuple[float, int]] = []
        self.known: dict[psutil.Process, float] = {}  # when each was first seen, epoch seconds
        self._runner, self._over = runner, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replicas", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    def alive(self) -> set[psutil.Process]:
        """Those that are there now."""
        return {one for one in dict(self.known) if not processes.gone(one)}

    def most(self, since: float, until: float | None = None) -> int:
        """The most at once between two moments."""
        return max((n for at, n in list(self.counts) if since <= at and (until is None or at <= until)), default=0)

    def changes(self, since: float, until: float | None = None) -> list[tuple[float, int]]:
        """The counts from then on, each time that they are others than before."""
        found: list[tuple[float, int]] = []
        for at, n in list(self.counts):
            if since <= at and (until is None or at <= until) and (not found or found[-1][1] != n):
                found.append((at, n))
        return found

    def _watch(self) -> None:
        while not self._over.wait(PAUSE):
            now = time.time()
            for pid in self._runner().pids("autoscaler"):
                try:
                    for child in psutil.Process(pid).children():
                        self.known.setdefault(child, now)
                except psutil.Error:
                    continue
            self.counts.append((now, len(self.alive())))
