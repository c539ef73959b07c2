"""Whether a process is at work: who has read its libraries opens a line to some server."""

import contextlib

import psutil

from accepted.grade.stage import Stage
from accepted.stack import processes


def talks(stage: Stage, name: str) -> bool:
    """Whether that process, or a child of it, has a line to any server."""
    with contextlib.suppress(psutil.Error):
        leaders = {psutil.Process(pid) for pid in stage.stack.runner.pids(name)}
        return any(one.net_connections() for one in processes.tree(leaders))
    return False
