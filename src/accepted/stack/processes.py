"""Finding and ending processes for certain: by pid and start time, never by name."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import psutil

RUN_ID = "ACCEPTED_RUN_ID"  # in the environment of everything a run starts, and inherited by what that starts
STILL = {"T", "t", "Z", "X"}  # states of a Linux thread that runs no more: stopped, traced, zombie, dead
SAME_START = 2.0  # seconds: the clock of the boot time is read anew by each process, and rounds


def found(pid: int, started: float) -> psutil.Process | None:
    """The live process of that pid and start time (seconds since the epoch), else None."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < SAME_START
    except psutil.Error:
        return None
    return process if same and not gone(process) else None


def gone(process: psutil.Process) -> bool:
    """Whether it has ended; a zombie has, only its parent has not asked yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def tree(leaders: Iterable[psutil.Process]) -> set[psutil.Process]:
    """These processes and all their descendants, whatever group or session they moved to."""
    everyone: set[psutil.Process] = set()
    for leader in leaders:
        with contextlib.suppress(psutil.NoSuchProcess):
            everyone |= {leader, *leader.children(recursive=True)}
    return everyone


def members(sessions: Mapping[int, float], marks: Collection[str] = ()) -> set[psutil.Process]:
    """Live processes in one of these sessions (leader's pid: its start time), or marked by their environment.

    A mark is the whole RUN_ID or its beginning up to a slash: `run` finds `run/relay.1`. So those are found too whose
    parents have died. A pid that now belongs to a stranger stands for no session of ours.
    """
    ours: set[psutil.Process] = set()
    known = {leader for leader, started in sessions.items() if found(leader, started) or not psutil.pid_exists(leader)}
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if os.getsid(process.pid) in known or (marks and _marked(process, marks)):
                ours.add(process)
        except (OSError, psutil.Error):
            continue
    return {process for process in ours if not gone(process)}


def _marked(process: psutil.Process, marks: Collection[str]) -> bool:
    found = process.environ().get(RUN_ID)
    return found is not None and any(found == mark or found.startswith(f"{mark}/") for mark in marks)


def send(processes: Iterable[psutil.Process], number: int) -> None:
    """Signals each that is still there and ours to signal."""
    for process in processes:
        try:
            process.send_signal(number)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def until(condition: Callable[[], bool], seconds: float, pause: float = 0.02, longest: float = 0.0) -> bool:
    """Polls `condition` until it holds or the time is over; returns whether it held.

    `longest`: the pause grows up to so many seconds, by a thirtieth of what was waited: whoever waits for a minute
    needn't ask a thousand times.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited >= seconds:
            return False
        time.sleep(max(pause, min(longest, waited / 30)))
    return True


def freeze(processes: Iterable[psutil.Process], seconds: float = 10.0) -> None:
    """SIGSTOP to each, and waits until none of their threads runs. Raises TimeoutError.

    The signal alone is a wish: on a busy machine a thread that runs may still end its system call, an answer in it.
    """
    frozen = set(processes)
    send(frozen, signal.SIGSTOP)
    if not until(lambda: all(map(_stands_still, frozen)), seconds, 0.002):
        running = sorted(process.pid for process in frozen if not _stands_still(process))
        raise TimeoutError(f"{running} still run {seconds:g} s after SIGSTOP")


def freeze_trees(leaders: Collection[psutil.Process], seconds: float = 10.0) -> None:
    """`freeze` for these and all their descendants, with those that were forked while the signals were sent."""
    frozen: set[psutil.Process] = set()
    while new := tree(leaders) - frozen:
        freeze(new, seconds)
        frozen |= new


def _stands_still(process: psutil.Process) -> bool:
    """Whether each of its threads is stopped or has ended."""
    tasks = Path(f"/proc/{process.pid}/task")
    try:
        if not tasks.is_dir():
            return gone(process) or process.status() == psutil.STATUS_STOPPED
        # The state comes after the name, which is in brackets and may itself contain some.
        states = {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()}
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return gone(process)  # a thread ended while we looked: looked at again
    return states <= STILL


def kill(processes: Collection[psutil.Process], seconds: float = 5.0) -> list[psutil.Process]:
    """SIGKILL to all and waits; returns those that are still there (in uninterruptible sleep)."""
    send(processes, signal.SIGKILL)
    until(lambda: all(gone(process) for process in processes), seconds)
    return [process for process in processes if not gone(process)]
