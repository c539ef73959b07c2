"""A tree that eats memory, or forks without end, is ended before the machine is."""

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
MANY = 400  # processes of the tree; the reference has some thirty
PAUSE = 0.25  # s
GIB = 2**30
Eaten = dict[psutil.Process, tuple[str, int]]  # by process: the name that the Procfile gives it, and its bytes


class Appetite:
    """Watches the resident memory of a tree's processes, the kit's own excepted, and how many there are. `broken`:
    once it was too much."""

    def __init__(self, runner: Callable[[], Runner | None]) -> None:
        self.broken: Broken | None = None
        self._runner, self._over = runner, threading.Event()
        self._strays: dict[psutil.Process, str | None] = {}
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
            if broken := too_much(eaten):
                self.broken = self.broken or broken
                runner.failure = Problem("the tree took too much", self.broken.difference, self.broken.look)
                processes.kill(eaten)  # with the failure in place nobody starts them again

    def _eaten(self, runner: Runner) -> Eaten:
        own = {pid for child in runner.children() if child.name in NAMES for pid in child.sessions}
        names = {pid: child.name for child in runner.children() if child.name not in NAMES for pid in child.sessions}
        found = {}
        for process in psutil.Process().children(recursive=True):
            try:
                session = os.getsid(process.pid)
                name = names.get(session) or (self._marked(process, runner) if session not in own else None)
                if name:
                    found[process] = (name, process.memory_info().rss)
            except (OSError, psutil.Error):
                continue
        return found

    def _marked(self, process: psutil.Process, runner: Runner) -> str | None:
        """Of one that went off into a session of its own: the name of who started it, which its environment has.
        (Asked once of each: that is long to read.)"""
        if process not in self._strays:
            run, _, name = process.environ().get(processes.RUN_ID, "").rpartition("/")
            self._strays[process] = name if run == runner.env[processes.RUN_ID] and name not in NAMES else None
        return self._strays[process]


def too_much(eaten: Eaten) -> Broken | None:
    """What is to be told where these are too many, or hold too much."""
    if not eaten:
        return None
    worst = max(eaten, key=lambda process: eaten[process][1])
    name, most = eaten[worst]
    total = sum(size for _, size in eaten.values())
    rule = f"A process keeps under {EACH:g} GiB of memory, all of the tree under {ALL:g} GiB."
    what = f"{name} (process {worst.pid}) holds {most / GIB:.1f} GiB, all processes of the tree {total / GIB:.1f} GiB"
    costs = "The kernel ends what is biggest, in the middle of its work: often the database, and not your worker."
    look = "a list that keeps what it has read, a loop without an end, or a file read whole"
    if len(eaten) > MANY:
        names = [name for name, _ in eaten.values()]
        name = max(set(names), key=names.count)
        rule = f"The tree's processes are as many as its Procfile asks for, and never more than {MANY}."
        what = f"{name} has {names.count(name)} processes, and all of the tree {len(eaten)}"
        costs = "A machine that may start no more processes can't even start the one that would end them."
        look = "a process started for each job or in a loop, and never waited for"
    elif most <= EACH * GIB and total <= ALL * GIB:
        return None
    return Broken(
        stimulus="the tree ran, and its processes were watched",
        rule=rule,
        difference=f"{what}; it was ended for that, before the machine was",
        evidence=[Moment(time.time(), what, "too much")],
        costs=costs,
        look=look,
        logs=(name,),
    )
