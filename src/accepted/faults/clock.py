"""A process whose clock is wrong: everything that it and its children read from it is so many seconds off.

PostgreSQL, the brokers and the other processes keep the right time. What counts elapsed time (`time.monotonic`,
time-outs of sockets) is not touched, as with a real clock that was set wrong.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from accepted.stack import processes
from accepted.stack.runner import Runner

FOLDER = Path(__file__).parent / "skewed"
HEARD_WITHIN = 60.0  # s, for a process to come up on a busy machine, and for its word to come through the pipe
ROUNDING = 1.0  # s
_TOLD = re.compile(rb'"clock is skewed", "shows": ([0-9.]+)}')


@contextmanager
def skewed(runner: Runner, name: str, seconds: float, within: float = HEARD_WITHIN) -> Iterator[bool]:
    """Restarts `name` with its clock off by `seconds`, and afterwards with the right one.

    Yields whether all its instances were heard to read the wrong time, `within` so many seconds.
    """
    children = runner.children(name)
    right = {child.name: child.spec for child in children}
    runner.stop(name)
    for child in children:
        path = child.spec.env.get("PYTHONPATH") or runner.env.get("PYTHONPATH", "")
        first = os.pathsep.join(filter(None, [str(FOLDER), path]))
        child.spec = replace(child.spec, env={**child.spec.env, "PYTHONPATH": first, "CLOCK_SKEW": str(seconds)})
    try:
        words = [Words(runner.logs.directory / f"{each}.log") for each in right]
        runner.start(name)
        runner.wait_healthy(within, name)
        yield processes.until(lambda: all(one.show(seconds) for one in words), within)
    finally:
        runner.stop(name)
        for child in children:
            child.spec = right[child.name]
        runner.start(name)


class Words:
    """What a process says from now on. All of it: who has children soon says more than a log's tail holds."""

    def __init__(self, log: Path) -> None:
        self.log, self.began = log, time.time()
        self.skip = log.stat().st_size if log.exists() else 0

    def show(self, seconds: float) -> bool:
        """Whether it has said a time that was so many seconds off when it said it."""
        if not self.log.exists():
            return False
        with self.log.open("rb") as file:
            file.seek(self.skip)
            told = [float(shown) - seconds for shown in _TOLD.findall(file.read())]
        return any(self.began - ROUNDING < one < time.time() + ROUNDING for one in told)
