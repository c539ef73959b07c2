"""Whoever has ended is missed by the broker a moment later, and until then the broker hands them messages."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import psutil

from accepted.grade.messages import Messages
from accepted.grade.verdict import Unknown
from accepted.stack import processes
from accepted.stack.runner import Runner

T = TypeVar("T")
MISSED = 60.0  # s in which even a broker that hardly runs has read that a line is closed


def departed(runner: Runner, names: Sequence[str], raw: Messages, end: Callable[[], T]) -> T:
    """What `end` returns, which ends the processes of these names; comes back once the broker has missed them.

    A Redis gives the next message to whoever has waited longest. Where that one is dead and its line not yet read to
    the end, the message is gone, and no tree could have kept it. Raises Unknown where the dead are not missed.
    """
    doomed = processes.tree({psutil.Process(pid) for name in names for pid in runner.pids(name)})
    ports = _ports(doomed | {psutil.Process()})  # our own are those of proxies in between
    waited = {client for client, port in raw.waiters().items() if port in ports}
    found = end()
    if not processes.until(lambda: not waited & set(raw.waiters()), MISSED):
        raise Unknown(f"{', '.join(names)} ended, and {MISSED:g} s later the broker still counted on them")
    return found


def _ports(of: set[psutil.Process]) -> set[int]:
    """Local ports of their connections."""
    found = set()
    for process in of:
        try:
            found |= {one.laddr.port for one in process.net_connections(kind="tcp") if one.laddr}
        except psutil.Error:
            continue
    return found
