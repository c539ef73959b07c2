"""A real slow-down of any system: all its processes and servers stand still for a part of every tenth of a second."""

import os
import signal
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil

from accepted.stack import processes
from accepted.stack.run import Stack

CYCLE = 0.1  # s
LONGEST = 0.5  # s of standing still at once, however much is owed
REFRESH = 10  # cycles between two looks for new processes: one look costs as much as many signals


class Slowed:
    """`with Slowed(stack, 0.2):` whatever the stack does takes 1.2 times as long as it would; `stood` is for how long
    it stood still. It is let go at the end of the block, and an ending of the stack would kill what stands."""

    def __init__(self, stack: Stack, slower: float) -> None:
        self.stack, self.share = stack, slower / (1 + slower)
        self.stood = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slowed", daemon=True)

    def __enter__(self) -> Self:
        if self.share:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self.share:
            self._thread.join(10)

    def _run(self) -> None:
        """By the clock: what a late cycle stood too short or too long, the next one makes up for."""
        pids, cycle = self._pids(), 0
        began = time.monotonic()
        while not self._stop.wait(CYCLE * (1 - self.share)):
            if cycle % REFRESH == REFRESH - 1:
                pids = self._pids()
            cycle += 1
            stopped = time.monotonic()
            owed = (self.share * (stopped - began) - self.stood) / (1 - self.share)
            _signal(pids, signal.SIGSTOP)
            time.sleep(min(max(owed, 0.0), LONGEST))
            _signal(pids, signal.SIGCONT)
            self.stood += time.monotonic() - stopped

    def _pids(self) -> list[int]:
        alive = [psutil.Process(pid) for _, pid in self.stack.leaders() if pid is not None and psutil.pid_exists(pid)]
        return [process.pid for process in processes.tree(alive)]


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # it ended since we looked
            continue
