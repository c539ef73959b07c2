"""A tree that eats memory is ended before the machine is."""

import os
import threading
import time
from collections.abc import Callable

import psutil

from accepted.grade.evidence import Moment
from accepted.grade.verdict import Broken
from accepted.stack import processes
from accepted.stack.errors import Problem
from accepted.stack.runner import Runner
from accepted.stack.third_parties import NAMES

EACH, ALL = 1.5, 4.0  # GiB: of one process, and of all of the tree's together
PAUSE = 0.25  # s
GIB = 2**30


class Appetite:
    """Watches the resident memory of a tree's processes, the kit's own excepted. `broken`: once one ate too much."""

    def __init__(self, runner: Callable[[], Runner | None]) -> None:
        self.broken: Broken | None = None
        self._runner, self._over = runner, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="appetite", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._over.wait(PAUSE):
            runner = self._runner()
            if runner is None:
                continue
            eaten = self._eaten(runner)
            total = sum(size for _, size in eaten.values())
            greedy = {process for process, (_, size) in eaten.items() if size > EACH * GIB}
            if total > ALL * GIB:
                greedy = set(eaten)
            if greedy:
                worst = max(greedy, key=lambda process: eaten[process][1])
                self.broken = self.broken or _broken(*eaten[worst], worst.pid, total)
                runner.failure = Problem("the tree ate too much", self.broken.difference, self.broken.look)
                processes.kill(greedy)  # with the failure in place nobody starts them again

    @staticmethod
    def _eaten(runner: Runner) -> dict[psutil.Process, tuple[str, int]]:
        """Bytes by process, with the name that the Procfile gives it."""
        names = {pid: child.name for child in runner.children() if child.name not in NAMES for pid in child.sessions}
        found = {}
        for process in psutil.Process().children(recursive=True):
            try:
                if name := names.get(os.getsid(process.pid)):
                    found[process] = (name, process.memory_info().rss)
            except (OSError, psutil.Error):
                continue
        return found


def _broken(name: str, size: int, pid: int, total: int) -> Broken:
    what = f"{name} (process {pid}) holds {size / GIB:.1f} GiB, all processes of the tree {total / GIB:.1f} GiB"
    return Broken(
        stimulus="the tree ran, and its memory was watched",
        rule=f"A process keeps under {EACH:g} GiB of memory, all of the tree under {ALL:g} GiB.",
        difference=f"{what}; it was ended for that, before the machine was",
        evidence=[Moment(time.time(), what, "too much")],
        costs="The kernel ends what is biggest, in the middle of its work: often the database, and not your worker.",
        look="a list that keeps what it has read, a loop without an end, or a file read whole",
        logs=(name,),
    )
