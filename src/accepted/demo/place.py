"""Where the system runs that the story is played on: processes of this machine, or containers."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil

from ..stack import processes
from ..stack.run import Stack

FLASK = ("-m", "flask", "--app", "app.shared.web", "ops")
OPS = 60.0  # seconds for one command


class Place(Protocol):
    """`with place:` boots everything; leaving the block leaves nothing running. URLs are as this process reaches them.

    Workers are named as the partner saw them in X-Worker: HOST:PID.
    """

    web: str
    partner: str
    database: str
    up: str  # what is up, in a line
    hint: str | None  # what a person should hear of the choice of backend
    freezing: float  # seconds within which `freeze` surely has done its work

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def ops(self, *arguments: str) -> str:
        """What `flask ops …` prints on standard output. Raises RuntimeError where it fails."""
        ...

    def freeze(self, worker: str) -> None:
        """Stops it where it is, and returns when it stands still."""
        ...

    def kill(self, worker: str) -> None:
        """SIGKILL."""
        ...


class Local:
    """Processes of this machine, on servers of a run of its own."""

    freezing = 1.0

    def __init__(self, tree: Path, backend: str, timings: Mapping[str, str]) -> None:
        self._stack = Stack(tree, backend=backend, seed="medium", env=timings)
        self.hint = self._stack.hint

    def __enter__(self) -> Self:
        stack = self._stack.__enter__()
        urls = stack.addresses
        self.web, self.partner, self.database = urls.web, urls.partner, urls.database
        servers = [server.label for server in (stack.postgres, stack.redis, stack.rabbitmq) if server]
        self.up = f"{', '.join(servers)}, partner, object store, {stack.backend}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def ops(self, *arguments: str) -> str:
        command = [sys.executable, *FLASK, *arguments]
        done = subprocess.run(
            command, check=False, env=self._stack.env, cwd=Path.cwd(), capture_output=True, text=True, timeout=OPS
        )
        return printed(done, arguments)

    def freeze(self, worker: str) -> None:
        processes.freeze([psutil.Process(pid_of(worker))])

    def kill(self, worker: str) -> None:
        os.kill(pid_of(worker), signal.SIGKILL)


def pid_of(worker: str) -> int:
    """The pid, as the worker's own machine or container counts."""
    return int(worker.rpartition(":")[2])


def printed(done: subprocess.CompletedProcess[str], arguments: tuple[str, ...]) -> str:
    """Standard output of `flask ops`. Raises RuntimeError where the command failed."""
    if done.returncode != 0:
        raise RuntimeError(f"flask ops {shlex.join(arguments)} exited with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout
