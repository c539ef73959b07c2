"""A process of the bench's own, beside the measured ones: it is told one JSON line, and answers in JSON lines.

Load that came from the supervising process would share its interpreter with the threads that copy the logs.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from accepted.bench.measure import Invalid
from accepted.stack.runner import Runner


class Aside:
    """`with Aside(runner, "module", spec) as aside:` runs `python -m accepted.bench.module` during the block.

    It has the environment of the run's processes, and ends with the run even if we are killed.
    """

    def __init__(self, runner: Runner, module: str, spec: Mapping[str, Any]) -> None:
        self.module = module
        self._popen = subprocess.Popen(
            [sys.executable, "-m", f"accepted.bench.{module}"],
            cwd=runner.cwd, env=dict(runner.env), start_new_session=True, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        runner.tether.hold(self._popen.pid)
        self._heard = b""
        self.tell(spec)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe:
                pipe.close()
        try:
            self._popen.wait(0 if kind else 3)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(5)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def tell(self, what: Mapping[str, Any]) -> None:
        assert self._popen.stdin
        data = memoryview(json.dumps(what).encode() + b"\n")
        while data:
            data = data[self._popen.stdin.write(data) :]

    def hear(self, seconds: float) -> dict[str, Any]:
        """Its next line. Raises Invalid where none comes in time."""
        assert self._popen.stdout and self._popen.stderr
        give_up = time.monotonic() + seconds
        while b"\n" not in self._heard:
            left = give_up - time.monotonic()
            if left <= 0:
                raise Invalid(f"{self.module} said nothing for {seconds:.0f} s")
            if select.select([self._popen.stdout], [], [], left)[0]:
                chunk = os.read(self._popen.stdout.fileno(), 1 << 20)
                if not chunk:
                    last = self._popen.stderr.read()[-2000:].decode(errors="replace").strip().splitlines()
                    raise Invalid(f"{self.module} ended early: {last[-1] if last else 'without a word'}")
                self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def told() -> dict[str, Any]:
    """In the aside: the next line from the bench."""
    found: dict[str, Any] = json.loads(sys.stdin.readline())
    return found


def answer(what: Mapping[str, Any]) -> None:
    """In the aside: one line to the bench."""
    print(json.dumps(what), flush=True)
