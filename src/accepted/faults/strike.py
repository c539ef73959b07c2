"""SIGKILL to the process at a crossing, to its parent, or to the whole tree; and the look that it is dead."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import psutil

from accepted.stack import processes
from accepted.stack.runner import Runner

Victim = Literal["child", "parent", "tree"]
VICTIMS: tuple[Victim, ...] = ("child", "parent", "tree")
SEEN_WITHIN = 30.0  # s, on a busy machine; a few ms on an idle one


@dataclass(frozen=True, slots=True)
class Struck:
    """What was killed: pids, at what time (epoch), and whether all of them were seen dead."""

    victim: Victim
    pids: tuple[int, ...]
    at: float
    dead: bool
    owner_alive: bool
    owner: int | None


def owner_of(port: int, candidates: Iterable[psutil.Process]) -> psutil.Process | None:
    """Which of these processes holds the socket of that local port; of several (a fork's heirs) the oldest."""
    holders = []
    for process in candidates:
        try:
            if any(one.laddr and one.laddr.port == port for one in process.net_connections(kind="tcp")):
                holders.append((process.create_time(), process.pid, process))
        except psutil.Error:
            continue
    return min(holders)[2] if holders else None


def kill_at(runner: Runner, name: str, port: int, victim: Victim, at: float) -> Struck:
    """Kills around the process of `name` that owns the connection from `port`. Returns when it has seen them dead."""
    for child in [one for one in runner.children(name) if one.pid]:
        leader = processes.found(child.pid or 0, child.started or 0.0)
        if leader is None:
            continue
        whole = processes.tree({leader})
        owner = owner_of(port, whole)
        if owner is None:
            continue
        doomed = {"child": {owner}, "parent": {_parent(owner, leader)}, "tree": whole}[victim]
        if leader in doomed:
            runner.kill(child.name, signal.SIGKILL, tree=victim == "tree")  # the runner must know: it is no crash
        else:
            processes.send(doomed, signal.SIGKILL)
        dead = processes.until(lambda: all(processes.gone(one) for one in doomed), SEEN_WITHIN, pause=0.002)  # noqa: B023
        pids = tuple(sorted(one.pid for one in doomed))
        return Struck(victim, pids, at, dead, not processes.gone(owner), owner.pid)
    return Struck(victim, (), at, False, True, None)


def kill_now(runner: Runner, name: str, victim: Victim, at: float) -> Struck:
    """Kills a process at no crossing in particular. `child`: the youngest one, or itself where it has none."""
    for pid in runner.pids(name):
        leader = psutil.Process(pid)
        try:
            young = sorted(leader.children(recursive=True), key=lambda one: one.create_time())
        except psutil.NoSuchProcess:
            continue
        doomed = {"child": {young[-1]} if young else {leader}, "parent": {leader}, "tree": {leader, *young}}[victim]
        if leader in doomed:
            runner.kill(name, signal.SIGKILL, tree=victim == "tree")
        else:
            processes.send(doomed, signal.SIGKILL)
        dead = processes.until(lambda: all(processes.gone(one) for one in doomed), SEEN_WITHIN, pause=0.002)  # noqa: B023
        return Struck(victim, tuple(sorted(one.pid for one in doomed)), at, dead, False, None)
    return Struck(victim, (), at, False, True, None)


def has_tree(runner: Runner, name: str) -> bool:
    """Whether that process has children of its own."""
    for pid in runner.pids(name):
        try:
            if psutil.Process(pid).children():
                return True
        except psutil.Error:
            continue
    return False


def _parent(owner: psutil.Process, leader: psutil.Process) -> psutil.Process:
    if owner == leader:
        return leader
    try:
        return owner.parent() or leader
    except psutil.Error:
        return leader
