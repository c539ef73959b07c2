"""Our side of the generator: starts it, hears it, stops it."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit

from accepted.load.plan import Planned
from accepted.stack.errors import Problem
from accepted.stack.tether import Tether

START = 90.0  # s: Locust is much to import on a starved machine


class Generator:
    """`with Generator(...) as generator:` has it ready; `go` sets its zero. It ends with the block, and with us.

    `workers`: so many processes share the arrivals. `web`: the port of Locust's own page. `told`: its newest line.
    `folder` gets the plan, what was sent, and its stderr.
    """

    def __init__(
        self, folder: Path, host: str, requests: Sequence[Planned], patience: float, tether: Tether | None = None,
        clients: int | None = None, workers: int = 1, web: int | None = None,
    ) -> None:  # fmt: skip
        self.sent = folder / "sent.jsonl"
        self.told: dict[str, Any] = {}
        self.recent: list[tuple[str, float]] = []  # (phase, accept seconds; -1 for one that was not accepted)
        plan = {"host": host, "patience": patience, "clients": clients, "workers": workers, "web": web,
                "requests": [each.as_dict() for each in requests]}  # fmt: skip
        (folder / "plan.json").write_text(json.dumps(plan))
        self._log = folder / "generator.log"
        with self._log.open("w") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "accepted.load.generator", str(folder / "plan.json"), str(self.sent)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                env={**os.environ, "GEVENT_RESOLVER": "block" if _numeric(host) else "thread"},
            )  # fmt: skip
        if tether:
            tether.hold(self._popen.pid)
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._pump = threading.Thread(target=self._hear, args=(self._popen.stdout,), daemon=True)
        self._pump.start()

    def __enter__(self) -> Self:
        try:
            self.priority: str = self._next(START)["priority"]
        except queue.Empty:
            self.__exit__(None, None, None)
            why = f"it was not ready after {START:.0f} s"
            raise Problem("the load generator did not start", why, "Let the machine come to rest.") from None
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)  # its workers with it, also where it has gone before them
        self._popen.wait(10)
        self._pump.join(5)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                pipe.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def go(self, zero: float) -> None:
        """The first arrival's clock begins at `zero`, seconds since the epoch."""
        assert self._popen.stdin
        self._popen.stdin.write(json.dumps({"zero": zero}) + "\n")
        self._popen.stdin.flush()

    def stop(self) -> None:
        """No further arrival; what is under way goes on."""
        if self._popen.poll() is None:
            self._popen.terminate()

    def listen(self, seconds: float) -> bool:
        """Takes in what it says for so long; whether it is over. Raises Problem where it died."""
        deadline = time.monotonic() + seconds
        while not self.told.get("over") and (left := deadline - time.monotonic()) > 0:
            try:
                self._next(left)
            except queue.Empty:
                break
        return bool(self.told.get("over"))

    def lines(self) -> list[Mapping[str, Any]]:
        """What became of each request that was sent and answered."""
        return [json.loads(line) for line in self.sent.read_text().splitlines()]

    def _next(self, seconds: float) -> dict[str, Any]:
        line = self._lines.get(timeout=seconds)
        if line is None:
            said = self._log.read_text(errors="replace").splitlines()[-8:]
            raise Problem("the load generator died", "nothing can be said of this run", f"See {self._log}.", said)
        self.recent += [(phase, took) for phase, took in line.pop("recent", [])]
        self.told = {**self.told, **line}
        return self.told

    def _hear(self, stdout: IO[str] | None) -> None:
        for line in stdout or ():
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                continue
        self._lines.put(None)


def _numeric(url: str) -> bool:
    """Whether no name has to be looked up, for which everything would wait while it is."""
    try:
        ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True
