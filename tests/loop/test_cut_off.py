"""Ctrl-C, kill -9 and two terminals at once: the files and what is written down about them never part in silence."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accepted.ladder import REFERENCE
from accepted.loop import journal, stash
from accepted.loop.turns import alone
from accepted.loop.work import Work, found
from accepted.stack import processes
from tests.loop.conftest import COMMAND, MINE, Typed, contents, said

# `accepted`, with the reference in ./reference, and a Ctrl-C even where the tests run with it ignored.
TYPED = """
import signal, sys
from pathlib import Path
from accepted.cli import main
from accepted.loop import replacing
signal.signal(signal.SIGINT, signal.default_int_handler)
replacing.REFERENCE = Path("reference")
main(sys.argv[1:])
"""


@pytest.fixture
def halfway(work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A catch-up that stands still in the middle: a module that it takes is a pipe, into which nobody writes."""
    reference = work.parent / "reference"
    shutil.copytree(REFERENCE, reference)
    (reference / "shared/retries.py").unlink()
    os.mkfifo(reference / "shared/retries.py")
    child = subprocess.Popen([sys.executable, "-c", TYPED, "catch-up", "6"], cwd=work.parent)
    before_it = work / "shared/claims.py"
    assert processes.until(lambda: before_it.read_bytes() == (REFERENCE / "shared/claims.py").read_bytes(), 30)
    yield child
    child.kill()
    child.communicate()


def noted(work: Path) -> tuple[tuple[int, ...], list[str]]:
    """What is given, and what has happened."""
    about = found(work)
    assert about
    return about.given, [one["what"] for one in journal.read(about)]


def test_killed_in_the_middle_all_is_in_the_stash_and_the_next_command_says_so(
    accepted: Typed, work: Path, halfway: subprocess.Popen[bytes]
) -> None:
    halfway.kill()
    halfway.wait()
    (kept,) = stash.all_of(Work(work))
    assert (kept / "shared/retries.py").read_bytes() == MINE == (kept / "notes.md").read_bytes()
    assert accepted("doctor").exit_code == 1
    result = accepted("score")
    assert "cut off half-way" in result.output and f"make restore STASH=work.stash/{kept.name}" in result.output
    assert accepted("restore", kept.name).exit_code == 0
    assert contents(work) == contents(kept)
    assert "cut off" not in accepted("score").output


def test_ctrl_c_in_the_middle_waits_until_files_and_notes_are_of_one_kind(
    work: Path, halfway: subprocess.Popen[bytes]
) -> None:
    halfway.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        halfway.wait(0.3)
    (work.parent / "reference/shared/retries.py").write_bytes(b"# the reference\n")
    halfway.wait(30)
    assert halfway.returncode != 0, "the Ctrl-C arrives, afterwards"
    assert (work / "shared/retries.py").read_bytes() == b"# the reference\n"
    assert noted(work) == ((1, 2, 3, 4, 5), ["started", "caught-up"]), "the reference's code earns no points"
    assert not Work(work).underway.exists()


@pytest.mark.parametrize("typed", [["catch-up", "6"], ["reset", "4"], ["restore"], ["start", "--at", "2"]])
def test_killed_before_it_is_written_down_is_cut_off_too(accepted: Typed, work: Path, typed: list[str]) -> None:
    said(accepted("reset", "1", "--json"))
    (work / "shared/routes.py").write_bytes(MINE)  # so that each has something to change
    with Work(work).journal.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen([*COMMAND, *typed], cwd=work.parent, stdout=subprocess.PIPE)
        waits = f"{child.pid} "
        assert processes.until(lambda: any("->" in line and waits in line for line in locks()), 30)
        child.kill()
        child.communicate()
    assert "cut off half-way" in accepted("score").output
    assert accepted(*typed).exit_code == 0 and "cut off" not in accepted("score").output, "once more mends it"


def locks() -> list[str]:
    return Path("/proc/locks").read_text().splitlines()


@pytest.mark.parametrize("typed", [["catch-up", "3"], ["reset", "2"]])
def test_who_waited_for_another_goes_on_from_what_that_one_wrote_down(work: Path, typed: list[str]) -> None:
    with alone(Work(work)):
        child = subprocess.Popen([*COMMAND, *typed], cwd=work.parent, stdout=subprocess.PIPE)
        lock = str((work.with_name("work.stash") / ".lock").resolve())
        assert processes.until(lambda: lock in opened_by(child.pid), 30), "it has read the notes, and waits"
        Work(work, given=(1, 2, 3, 7)).save()
    child.communicate(timeout=60)
    assert noted(work)[0] == ((1, 2, 3, 7) if typed[0] == "catch-up" else (1, 3, 7))


def opened_by(pid: int) -> list[str]:
    return [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]


def test_a_half_that_another_command_does_not_mend_stays_told(
    accepted: Typed, work: Path, halfway: subprocess.Popen[bytes]
) -> None:
    halfway.kill()
    halfway.wait()
    for typed in (["reset", "1"], ["reset", "1"], ["catch-up", "2"]):
        assert accepted(*typed).exit_code == 0
        assert "The last catch-up-6 was cut off" in accepted("score").output
    (kept, *_, half) = stash.all_of(Work(work))
    assert kept.name in accepted("score").output, "the way back is to whole files"
    for chosen, told in ((kept, False), (half, True)):
        assert accepted("restore", chosen.name).exit_code == 0
        assert ("cut off" in accepted("score").output) is told, "and a stash of halves brings halves back"
    assert accepted("catch-up", "6").exit_code == 0
    assert "cut off" not in accepted("score").output


def test_to_begin_anew_is_a_whole_tree_whatever_was_cut_off(
    accepted: Typed, work: Path, halfway: subprocess.Popen[bytes]
) -> None:
    halfway.kill()
    halfway.wait()
    assert accepted("start", "--at", "1").exit_code == 0
    assert "cut off" not in accepted("score").output
