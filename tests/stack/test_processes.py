"""Freezing, for certain."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from accepted.stack import processes

# Each of its threads is in one long system call after the other, and its file grows all the while.
WRITERS = """
import os, sys, threading
block = bytes(32 << 20)
def write(n):
    file = os.open(f"{sys.argv[1]}/{n}", os.O_CREAT | os.O_WRONLY, 0o600)
    while True:
        os.pwrite(file, block, 0)
        os.ftruncate(file, 0)
for n in range(4):
    threading.Thread(target=write, args=(n,)).start()
print("writing", flush=True)
"""


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", WRITERS, str(tmp_path)], stdout=subprocess.PIPE) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"writing\n"
        yield psutil.Process(popen.pid)
        popen.kill()


def test_who_is_frozen_does_nothing_more_once_that_is_said(writers: psutil.Process, tmp_path: Path) -> None:
    def written() -> list[int]:
        return [(tmp_path / str(n)).stat().st_size for n in range(4)]

    assert processes.until(lambda: len(list(tmp_path.iterdir())) == 4, 10)
    for _ in range(20):
        processes.freeze([writers])
        before = written()
        assert not processes.until(lambda: written() != before, 0.1), "it wrote after it was frozen"  # noqa: B023
        writers.resume()
        assert processes.until(lambda: written() != before, 10)  # noqa: B023


def test_who_does_not_stand_still_is_named() -> None:
    with pytest.raises(TimeoutError, match=r"still run 0\.05 s after SIGSTOP"):
        processes.freeze([_Deaf(psutil.Process().pid)], 0.05)


class _Deaf(psutil.Process):
    """A process that no signal reaches, as one of another account."""

    def send_signal(self, sig: int) -> None:
        """Heard by nobody."""
