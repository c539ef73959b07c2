"""Nothing outlives the process that started it, not even where that one dies by SIGKILL.

The Linux way, PR_SET_PDEATHSIG, reaches the direct child only, forgets itself when the child changes its user,
and is bound to the *thread* that forked; macOS has none. So a small process in a session of its own holds the
reading end of a pipe from its owner. When the pipe ends without a farewell (or the owner is no longer its parent)
it ends every process that the owner named, their trees and sessions, and whatever carries the run's id in its
environment; then it removes the data folders. On every system, whoever the processes run as.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from accepted.stack import processes

FAREWELL = "bye"


class Tether:
    """The owner's end. Safe to use from several threads."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._lock = threading.Lock()
        self._guard = subprocess.Popen(
            [sys.executable, "-P", "-m", "accepted.stack.tether", run_id],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, text=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """The guarding process."""
        return self._guard.pid

    def hold(self, pid: int, farewell: int = signal.SIGKILL) -> None:
        """Ends this process, its tree and its session with us.

        `farewell` is the first signal, SIGKILL follows.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            self._say(f"process {pid} {psutil.Process(pid).create_time()} {int(farewell)}")

    def hold_folder(self, folder: Path) -> None:
        """Removes this folder with us."""
        self._say(f"folder {folder.resolve()}")

    def release(self) -> None:
        """The owner has cleaned up by itself: the guard goes without touching anything.

        Ctrl-C may come between a fork and the owner's first knowledge of the child, so what carries our mark ends here.
        """
        processes.kill(processes.members({}, {self.run_id}))
        self._say(FAREWELL)
        with self._lock:
            stdin = self._guard.stdin
            if stdin and not stdin.closed:
                with contextlib.suppress(OSError):
                    stdin.close()
        try:
            self._guard.wait(5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait(5)

    def _say(self, line: str) -> None:
        with self._lock:
            stdin = self._guard.stdin
            # A guard that someone killed is no reason to fail: it is the second line of defence.
            if stdin and not stdin.closed:
                with contextlib.suppress(OSError):
                    stdin.write(line + "\n")
                    stdin.flush()


def _listen(owner: int) -> tuple[bool, list[str]]:
    """Everything the owner said, and whether it ended with a farewell."""
    heard = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.5)
        if ready:
            chunk = os.read(0, 65536)
            heard += chunk
            if not chunk:
                break
        elif os.getppid() != owner:  # another process has inherited the writing end and keeps it open
            break
    lines = heard.decode().splitlines()
    return FAREWELL in lines, lines


def _clean_up(run_id: str, lines: list[str]) -> None:
    sessions: dict[int, float] = {}
    leaders: set[psutil.Process] = set()
    polite: set[psutil.Process] = set()
    folders: list[str] = []
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "folder":
            folders.append(rest)
        elif kind == "process":
            pid, started, farewell = rest.split()
            sessions[int(pid)] = float(started)
            if process := processes.found(int(pid), float(started)):
                leaders.add(process)
                if int(farewell) != signal.SIGKILL:
                    processes.send([process], int(farewell))
                    polite.add(process)
    everyone = processes.tree(leaders) | processes.members(sessions, {run_id})
    processes.kill(everyone - processes.tree(polite))
    processes.until(lambda: all(processes.gone(process) for process in polite), 3)
    processes.kill(everyone | processes.members(sessions, {run_id}))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Entry point of the guarding process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    farewell, lines = _listen(os.getppid())
    if not farewell:
        _clean_up(sys.argv[1], lines)


if __name__ == "__main__":
    main()
