"""What a tree leaves behind is ended, however far it went to get away."""

import ctypes
import os
import sys

import psutil

from accepted.stack import processes

GRADING = "ACCEPTED_GRADING"  # in the environment of the checks' process, and so of all that it starts
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on whoever loses its parent below us becomes our child (on Linux): a daemon too, whatever it does to
    its session and its environment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> list[psutil.Process]:
    """SIGKILL to all that is below us; returns what it found there."""
    found = [each for each in psutil.Process().children(recursive=True) if not processes.gone(each)]
    while left := [each for each in psutil.Process().children(recursive=True) if not processes.gone(each)]:
        if processes.kill(left):
            break  # in uninterruptible sleep: they end when they wake
    return found


def end_marked(mark: str, patience: float) -> list[psutil.Process]:
    """Waits `patience` seconds for those that carry the mark to go by themselves; ends the rest, and returns it."""
    processes.until(lambda: not _marked(mark), patience, pause=0.2)
    left = _marked(mark)
    processes.kill(left)
    return left


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter():
        try:
            if each.pid != os.getpid() and each.environ().get(GRADING) == mark and not processes.gone(each):
                found.append(each)
        except (OSError, psutil.Error):
            continue
    return found
