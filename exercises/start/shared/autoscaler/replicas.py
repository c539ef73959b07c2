"""Workers as processes of this machine."""

import subprocess
import sys
from collections.abc import Mapping


class Local:
    """`python -m app worker io`, as often as it takes."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self._working: list[subprocess.Popen[bytes]] = []

    def take_over(self) -> None:
        pass

    def working(self) -> int:
        self._working = [one for one in self._working if one.poll() is None]
        return len(self._working)

    def leaving(self) -> int:
        return 0

    def start(self, count: int) -> int:
        command = [sys.executable, "-m", "app", "worker", self.pool]
        self._working += [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in range(count)]
        return count

    def drain(self, count: int, busy: Mapping[str, int]) -> None:
        """`busy`: how many jobs each worker holds, by its name HOST:PID."""
        for _ in range(min(count, len(self._working))):
            one = self._working.pop()
            one.kill()
            one.wait()

    def close(self, seconds: float) -> None:
        self.drain(len(self._working), {})
