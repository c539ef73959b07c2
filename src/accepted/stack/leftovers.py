"""Ends what a run left behind that could not end itself: by the pids and start times it wrote down."""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psutil

from accepted.stack import databases, processes
from accepted.stack.errors import Problem
from accepted.stack.state import RunFolder, State


def end_recorded(state: State, grace: float = 5.0) -> int:
    """SIGTERM, then SIGKILL, to every recorded process that is still the same one, with all they started.

    Returns how many there were.
    """
    leaders = {
        process
        for record in state.processes
        if record.pid and record.started and (process := processes.found(record.pid, record.started))
    }
    sessions = {record.pid: record.started for record in state.processes if record.pid and record.started}
    everyone = processes.tree(leaders) | processes.members(sessions, {state.run_id})
    processes.send(everyone, signal.SIGCONT)
    processes.send(leaders, signal.SIGTERM)
    processes.until(lambda: all(processes.gone(process) for process in everyone), grace if everyone else 0)
    processes.kill(everyone | processes.members(sessions, {state.run_id}))
    for folder in state.folders:
        shutil.rmtree(folder, ignore_errors=True)
    if state.database:
        server, name = state.database
        databases.drop(server, name)
    return len(everyone)


def supervisor(state: State) -> psutil.Process | None:
    """The process that runs this run, if it lives."""
    return processes.found(state.supervisor, state.supervisor_started)


def bring_down(folder: RunFolder, seconds: float = 30.0) -> bool:
    """Asks the supervisor to stop everything, presses it, and at last does it itself.

    False: nothing was up.
    """
    state = folder.load()
    if state is None:
        return False
    process = supervisor(state) if folder.is_claimed() else None
    if process:
        for _ in range(2):  # the second SIGTERM says: hurry
            processes.send([process], signal.SIGTERM)
            if processes.until(lambda: processes.gone(process), seconds / 2):
                break
        if processes.kill([process]):
            raise Problem(
                f"run {state.name} does not stop",
                f"process {process.pid} survived SIGKILL",
                f"Look at it with: ps -o stat,wchan {process.pid}",
            )
        state = folder.load() or state
    if state.over:
        return process is not None
    ended = end_recorded(state)
    folder.save(replace(state, phase="stopped", processes=[], folders=[], database=None))
    return process is not None or ended > 0


def prune(runs: Path, prefix: str, keep: int = 10) -> None:
    """Removes the oldest folders of finished runs whose names begin with `prefix`."""
    found = sorted(runs.glob(f"{prefix}*"), key=_changed, reverse=True)
    for path in found[keep:]:
        if not RunFolder(path).is_claimed():
            shutil.rmtree(path, ignore_errors=True)


def _changed(path: Path) -> float:
    """When, in seconds since the epoch; 0 where another run, which prunes as well, has just removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0
