"""What the tests of the stack share: a runner in a folder of its own, and ways to ask what is left of it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from accepted.stack import processes
from accepted.stack.logs import Logs
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether


@pytest.fixture
def runner(tmp_path: Path, tether: Tether) -> Iterator[Runner]:
    logs = Logs(tmp_path / "logs")
    runner = Runner(env=os.environ, cwd=tmp_path, logs=logs, tether=tether, grace=2)
    yield runner
    runner.close()
    logs.close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes a Python program and returns the command that runs it."""

    def write(name: str, program: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(program)
        return f"{sys.executable} {path}"

    return write


Said = Callable[[Runner, str, str], list[str]]
AllGone = Callable[..., bool]


@pytest.fixture
def said() -> Said:
    """Waits for the first line of a process that begins with a word, and returns the words after it."""

    def ask(runner: Runner, name: str, word: str) -> list[str]:
        def lines() -> list[list[str]]:
            return [line.split()[1:] for line in runner.logs.tail(name) if line.startswith(f"{word} ")]

        assert processes.until(lambda: bool(lines()), 10), f"{name} never said {word}: {runner.logs.tail(name)}"
        return lines()[0]

    return ask


@pytest.fixture
def all_gone() -> AllGone:
    """Whether these pids end within some seconds (5)."""

    def gone(pid: int) -> bool:
        try:
            return processes.gone(psutil.Process(pid))
        except psutil.NoSuchProcess:
            return True

    def ask(pids: list[int], seconds: float = 5) -> bool:
        return processes.until(lambda: all(gone(pid) for pid in pids), seconds)

    return ask
