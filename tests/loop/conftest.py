"""A folder to work in, and the commands as somebody there types them."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from accepted.cli import main
from accepted.ladder import ROOT, files
from tests.loop.watched import Terminal, command, lay

Typed = Callable[..., Result]
COMMAND = [sys.executable, "-m", "accepted.cli"]
MINE = b"# three evenings of work\n"


@pytest.fixture(autouse=True)
def asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` says BACKEND and TREE to everything that it starts."""
    for name in ("BACKEND", "TREE", "SEED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def accepted(here: Path) -> Typed:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), prog_name="accepted")

    return run


@pytest.fixture
def work(accepted: Typed, here: Path) -> Path:
    """Someone is at exercise 4 and has written into its module, and notes of their own."""
    said(accepted("start", "--at", "4", "--json"))
    (here / "work/shared/retries.py").write_bytes(MINE)
    (here / "work/notes.md").write_bytes(MINE)
    return here / "work"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """To be watched."""
    tree = tmp_path / "work"
    lay(tree)
    return tree


@pytest.fixture
def terminal(tree: Path) -> Iterator[Terminal]:
    """In front of which somebody watches it."""
    fd, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    env = {**os.environ, "NO_COLOR": "1"}
    child = subprocess.Popen(
        command(tree), stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=env, start_new_session=True
    )
    yield Terminal(child, fd, slave, before=before)
    if child.poll() is None:
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(60)
    child.kill()
    os.close(fd)
    os.close(slave)


def said(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def contents(tree: Path) -> dict[str, bytes]:
    return {path: (tree / path).read_bytes() for path in files(tree)}
