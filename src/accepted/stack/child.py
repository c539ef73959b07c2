"""One supervised process: its command, its start, and how it ended."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from accepted.stack import processes
from accepted.stack.health import Alive, Health
from accepted.stack.logs import Logs
from accepted.stack.tether import Tether

_SHELL = re.compile(r"[;|&<>()`\n]")


@dataclass(frozen=True)
class Spec:
    """What to run: a shell line, whether it comes back after it ended, and when it counts as up."""

    name: str
    command: str
    restart: Literal["always", "never"] = "always"
    health: Health = field(default_factory=Alive)
    env: Mapping[str, str] = field(default_factory=dict)


def argv(command: str) -> list[str]:
    """The shell that runs `command`.

    A simple command takes the shell's place, so that the pid is its own and signals reach it.
    """
    return ["/bin/sh", "-c", command if _SHELL.search(command) else f"exec {command}"]


def own_programs_first(env: Mapping[str, str]) -> str:
    """A PATH on which `python` is the one that the kit runs in, whatever else is installed."""
    return f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"


def ending(code: int) -> str:
    """A return code of subprocess in words."""
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


class Child:
    """A named instance of a Spec. The runner decides; this only does."""

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.spec = name, spec
        self.wanted = False  # whether the runner should keep it running
        self.deliberate = False  # someone of ours ended it: no crash
        self.frozen = False
        self.due: float | None = None  # monotonic time of the next start
        self.born = 0.0  # monotonic time of the last start
        self.crashes: deque[float] = deque(maxlen=16)
        self.starts = 0
        self.mark = ""  # what it and its descendants carry in their environment
        self.last_ending: str | None = None
        self.sessions: dict[int, float] = {}  # each start leads a session: pid → start time
        self._popen: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The leader's pid while it runs."""
        return self._popen.pid if self._popen and self._popen.poll() is None else None

    @property
    def returncode(self) -> int | None:
        """How the last start ended; None while it runs, or before the first."""
        return self._popen.poll() if self._popen else None

    @property
    def started(self) -> float | None:
        """Start time of the running leader, seconds since the epoch."""
        return self.sessions.get(pid) if (pid := self.pid) else None

    def spawn(self, env: Mapping[str, str], cwd: Path, logs: Logs, tether: Tether) -> None:
        """Starts it in a session of its own; its output goes to `logs`."""
        self.due, self.deliberate, self.frozen = None, False, False
        self.mark = f"{env[processes.RUN_ID]}/{self.name}"
        popen = subprocess.Popen(
            argv(self.spec.command), cwd=cwd,
            env={**env, "PROCESS": self.name, **self.spec.env, processes.RUN_ID: self.mark},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        tether.hold(popen.pid)
        self._popen = popen
        self.born, self.starts = time.monotonic(), self.starts + 1
        # Not reaped before poll(), so the pid is there even if it has ended already.
        self.sessions[popen.pid] = psutil.Process(popen.pid).create_time()
        assert popen.stdout is not None
        self._pump = logs.pump(self.name, popen.stdout)

    def hear_out(self, seconds: float) -> None:
        """Waits until all that the last start said is in the logs, at most so long: others may hold its pipe open."""
        if self._pump:
            self._pump.join(seconds)
