"""A tree's own law, asked line by line: whoever simulates goes by what it answers, and by nothing of its insides."""

import json
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accepted.stack import procfile
from accepted.stack.child import argv, own_programs_first
from accepted.stack.errors import Problem

PATIENCE = 60.0  # s for one answer, the first included, for which it has to start


class Law:
    """The `autoscaler` of a Procfile with ` decide` behind it: a process, for as long as the block lasts."""

    def __init__(self, tree: Path, env: Mapping[str, str], cwd: Path) -> None:
        commands = procfile.read(tree / "Procfile")
        if "autoscaler" not in commands:
            raise Problem("no process autoscaler", f"{tree / 'Procfile'} has {', '.join(commands)}", "Add the line.")
        self._command, self._cwd = f"{commands['autoscaler']} decide", cwd
        self._env = {**env, "PATH": own_programs_first(env)}

    def __enter__(self) -> Self:
        self._popen = subprocess.Popen(
            argv(self._command), env=self._env, cwd=self._cwd, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._popen.stdin and self._popen.stdout and self._popen.stderr
        with suppress(OSError):
            self._popen.stdin.close()
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(5)
        self._popen.stdout.close()
        self._popen.stderr.close()

    def limits(self, limits: Mapping[str, float]) -> None:
        """Begins anew with these. Raises Problem where the process has ended."""
        self._say({"limits": limits})

    def __call__(self, now: float, replicas: int, seen: Mapping[str, Any] | None) -> int:
        """Raises Problem where it does not answer in the form that the contract has."""
        self._say({"now": now, "replicas": replicas, "seen": seen})
        assert self._popen.stdout
        watchdog = threading.Timer(PATIENCE, self._popen.kill)
        watchdog.start()
        line = self._popen.stdout.readline()
        watchdog.cancel()
        try:
            return int(json.loads(line)["replicas"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._problem(f"its answer is {line.strip()[:120]!r}") from error

    def _say(self, what: Mapping[str, Any]) -> None:
        assert self._popen.stdin
        try:
            self._popen.stdin.write(json.dumps(what) + "\n")
            self._popen.stdin.flush()
        except OSError as error:
            raise self._problem("it has ended") from error

    def _problem(self, why: str) -> Problem:
        self._popen.kill()
        assert self._popen.stderr
        said = self._popen.stderr.read().splitlines()[-12:]
        return Problem(
            f"`{self._command}` does not decide", why, "It answers each look with {\"replicas\": N}: docs/contract.md.",
            said,
        )  # fmt: skip
