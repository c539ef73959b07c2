"""The servers' data of a run that nobody looks at again lies in memory, where the machine has it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from accepted.stack import memory, processes
from accepted.stack.account import SHARED_TEMPORARY
from accepted.stack.memory import folder_in_memory
from accepted.stack.run import Stack
from accepted.stack.tether import Tether

OWNER = """
import os, sys
from pathlib import Path
from accepted.stack import memory
from accepted.stack.tether import Tether

memory.SHARED = Path(sys.argv[1])
with memory.folder_in_memory("tests", Tether("owner-" + os.urandom(6).hex()), Path("/")) as folder:
    print(folder, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As /dev/shm: a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(dir=SHARED_TEMPORARY) as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setattr(memory, "SHARED", folder)
        monkeypatch.setattr(memory, "ROOM", 0)
        yield folder


def test_servers_lie_in_memory_and_leave_nothing(tmp_path: Path, shared: Path) -> None:
    with Stack(runs=tmp_path, in_memory=True) as stack:
        homes = [home for server in (stack.postgres, stack.redis) if (home := getattr(server, "home", None))]
        assert all(shared in home.parents for home in homes), homes
        assert list(shared.iterdir())
    assert not list(shared.iterdir())


def test_without_room_they_lie_on_the_disk(
    tmp_path: Path, tether: Tether, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "ROOM", shutil.disk_usage(shared).free * 2)
    with folder_in_memory("tests", tether, tmp_path) as folder:
        assert folder == tmp_path
    monkeypatch.setattr(memory, "ROOM", 0)
    monkeypatch.setattr(memory, "SHARED", shared / "not there")
    with folder_in_memory("tests", tether, tmp_path) as folder:
        assert folder == tmp_path
    assert not list(shared.iterdir())


def test_a_dead_owners_folder_is_removed(shared: Path) -> None:
    done = subprocess.run([sys.executable, "-c", OWNER, str(shared)], capture_output=True, text=True, check=False)
    folder = Path(done.stdout.strip())
    assert folder.parent == shared, done.stderr
    assert processes.until(lambda: not folder.exists(), 10)
