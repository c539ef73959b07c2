"""How much the memory of a tree's processes grows while something happens: their peak above what they had before."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from accepted.grade.stage import Stage

PAUSE = 0.02  # s between two looks


class Growth:
    """`with Growth(stage) as grown:` … then `grown.by_name()`."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._stop = stage, threading.Event()
        self._idle: dict[psutil.Process, int] = {}
        self._peak: dict[psutil.Process, tuple[str, int]] = {}
        self._thread = threading.Thread(target=self._watch, name="growth", daemon=True)

    def __enter__(self) -> "Growth":
        for name, process in self._processes():
            with contextlib.suppress(psutil.Error):
                self._idle[process] = process.memory_info().rss
                self._peak[process] = name, self._idle[process]
                with contextlib.suppress(OSError):  # Linux: from here on the high-water mark starts anew
                    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(5)
        for process, (name, most) in list(self._peak.items()):
            with contextlib.suppress(OSError, psutil.Error):
                if process in self._idle and process.is_running():
                    self._peak[process] = name, max(most, _high_water(process.pid))

    def by_name(self) -> dict[str, int]:
        """Bytes by which the process tree of each line of the Procfile grew at most. A process that is new counts from
        what its siblings had."""
        found: dict[str, int] = {}
        for process, (name, most) in self._peak.items():
            siblings = [
                self._idle[one] for one, (other, _) in self._peak.items() if other == name and one in self._idle
            ]
            idle = self._idle.get(process, max(siblings, default=0))
            found[name] = found.get(name, 0) + max(0, most - idle)
        return found

    def _watch(self) -> None:
        while not self._stop.wait(PAUSE):
            for name, process in self._processes():
                with contextlib.suppress(psutil.Error):
                    most = self._peak.get(process, (name, 0))[1]
                    self._peak[process] = name, max(most, process.memory_info().rss)

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        runner = self._stage.stack.runner
        for name in self._stage.exercise.toml.processes:
            for pid in runner.pids(name):
                with contextlib.suppress(psutil.Error):
                    leader = psutil.Process(pid)
                    yield name, leader
                    for one in leader.children(recursive=True):
                        yield name, one


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
