"""A process whose clock is wrong: everything that it and its children read from it is so many seconds off.

PostgreSQL, the brokers and the other processes keep the right time. What counts elapsed time (`time.monotonic`,
time-outs of sockets) is not touched, as with a real clock that was set wrong.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from accepted.stack import processes
from accepted.stack.runner import Runner

FOLDER = Path(__file__).parent / "skewed"
NEAR = 10.0  # s between a process's word and our reading it


@contextmanager
def skewed(runner: Runner, name: str, seconds: float) -> Iterator[bool]:
    """Restarts `name` with its clock off by `seconds`, and afterwards with the right one.

    Yields whether all its instances were heard to read the wrong time.
    """
    children = runner.children(name)
    right = {child.name: child.spec for child in children}
    runner.stop(name)
    for child in children:
        path = child.spec.env.get("PYTHONPATH") or runner.env.get("PYTHONPATH", "")
        first = os.pathsep.join(filter(None, [str(FOLDER), path]))
        child.spec = replace(child.spec, env={**child.spec.env, "PYTHONPATH": first, "CLOCK_SKEW": str(seconds)})
    try:
        runner.start(name)
        runner.wait_healthy(30, name)
        yield all(processes.until(lambda: _shows(runner, each, seconds), 10) for each in right)  # noqa: B023
    finally:
        runner.stop(name)
        for child in children:
            child.spec = right[child.name]
        runner.start(name)


def _shows(runner: Runner, name: str, seconds: float) -> bool:
    for line in runner.logs.tail(name):
        if '"clock is skewed"' in line:
            return abs(float(json.loads(line)["shows"]) - time.time() - seconds) < NEAR
    return False
