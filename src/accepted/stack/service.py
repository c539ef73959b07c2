"""A server of ours: started on its own port, ended with everything it started."""

import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from accepted.stack import ports, processes
from accepted.stack.account import Account, popen_as
from accepted.stack.errors import Problem, cannot_write
from accepted.stack.tether import Tether

ATTEMPTS = 3  # starts, where another program took the port between our look and the server's bind
TAKEN = ("address already in use", "could not bind", "eaddrinuse")


class Service(ABC):
    """One server process. `launch` returns at once, `ready` waits; so several can boot side by side."""

    label: str
    home: Path  # the data
    stop_signal: signal.Signals
    orphan_signal: signal.Signals = signal.SIGKILL  # what the tether sends first

    def __init__(self, log: Path, tether: Tether, port: int | None = None, account: Account | None = None) -> None:
        self.log, self.tether, self.account = log, tether, account
        self.port = port or ports.free_port()
        self._fixed = port is not None
        self._popen: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._serving = False  # it answered once, and nobody here has ended it since
        self._mark = 0  # where this start begins in the log

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What to execute."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests now."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """The server's whole environment."""

    @property
    def pid(self) -> int | None:
        """The server's pid while it runs."""
        return self._popen.pid if self._popen and self._popen.poll() is None else None

    @property
    def started(self) -> float:
        """When the running process started, seconds since the epoch."""
        return self._started

    @property
    def lost(self) -> bool:
        """Whether it has ended though nobody here ended it."""
        return self._serving and self.pid is None

    def launch(self) -> None:
        """Starts the process and returns."""
        self._popen = self.spawn(self.command())
        self._started = psutil.Process(self._popen.pid).create_time()

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Runs a program of the server, its output to the log, its life bound to ours."""
        try:
            with self.log.open("ab") as log:
                self._mark = log.tell()
                popen = subprocess.Popen(
                    command, env={**self.environment(), processes.RUN_ID: self.tether.run_id}, cwd="/",
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    **popen_as(self.account),
                )  # fmt: skip
        except OSError as error:
            raise cannot_write(error.filename or self.log, error) from error
        self.tether.hold(popen.pid, self.orphan_signal)
        return popen

    def ready(self, seconds: float = 30.0) -> None:
        """Waits until it answers; a Problem with the end of its log where it does not."""
        deadline = time.monotonic() + seconds
        for attempt in range(ATTEMPTS):
            left = deadline - time.monotonic()
            processes.until(lambda: self.pid is None or self.answers(), left)
            if self.pid is not None and self.answers():
                self._serving = True
                return
            said = self.said()
            if self.pid is not None or attempt == ATTEMPTS - 1 or not _port_taken(said):
                break
            if self._fixed:
                ports.require_free(self.port, "its port setting")
            self.port = ports.free_port()
            self.launch()
        code = self._popen.poll() if self._popen else None
        why = f"no answer in {seconds:g} s" if code is None else f"it ended with status {code}"
        raise Problem(f"{self.label} did not start", why, f"Its log is {self.log}.", said)

    def stop(self, seconds: float = 10.0) -> None:
        """Ends it cleanly; after `seconds` for certain."""
        self._serving = False
        if self._popen is None:
            return
        whole = self._tree()
        if self.pid is not None:
            processes.send(whole, signal.SIGCONT)
            self._popen.send_signal(self.stop_signal)
            processes.until(lambda: self.pid is None, seconds)
        self._finish(whole)

    def discard(self) -> None:
        """Removes the data."""
        shutil.rmtree(self.home, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL, as a crash of the machine would end it."""
        self._serving = False
        if self._popen is not None:
            self._finish(self._tree())

    def restart(self, immediate: bool = False, seconds: float = 30.0) -> None:
        """Ends it (`immediate`: by SIGKILL) and starts it again on the same port with the same data."""
        if immediate:
            self.kill()
        else:
            self.stop()
        self._fixed = True  # clients know the address by now
        self.launch()
        self.ready(seconds)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers once this returns."""
        processes.freeze_trees(self._tree())

    def thaw(self) -> None:
        """Lets it go on."""
        processes.send(self._tree(), signal.SIGCONT)

    def said(self, lines: int = 20) -> list[str]:
        """The last lines that it logged since its start."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._mark)
                return log.read().decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def _tree(self) -> set[psutil.Process]:
        leader = processes.found(pid, self._started) if (pid := self.pid) else None
        return processes.tree({leader} if leader else ())

    def _finish(self, whole: set[psutil.Process]) -> None:
        processes.kill(whole)
        if self._popen is not None:
            self._popen.wait(10)
            processes.kill(processes.members({self._popen.pid: self._started}))


def _port_taken(said: Sequence[str]) -> bool:
    return any(phrase in line.lower() for line in said for phrase in TAKEN)
