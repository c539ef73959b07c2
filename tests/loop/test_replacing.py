"""A learner's file is never lost: what replaces it puts it into a stash first, says where, and can bring it back."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from accepted.ladder import REFERENCE, START, rungs
from accepted.loop import stash, turns
from accepted.loop.exchange import replace
from accepted.loop.work import Work, found
from tests.loop.conftest import COMMAND, MINE, Typed, contents, said


@pytest.mark.parametrize("arguments", [["start", "--at", "2"], ["catch-up", "9"], ["reset", "4"]], ids=" ".join)
def test_what_it_replaces_comes_back_with_the_command_that_it_prints(
    accepted: Typed, work: Path, arguments: list[str]
) -> None:
    before, about = contents(work), found(work)
    result = accepted(*arguments, "--dir", str(work))
    assert result.exit_code == 0, result.output
    assert (work / "shared/retries.py").read_bytes() != MINE
    command = next(line for line in result.output.splitlines() if "come back with" in line).partition(": ")[2]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert contents(work) == before
    assert found(work) == about


def test_catching_up_takes_all_below_from_the_reference_and_leaves_the_rest(accepted: Typed, work: Path) -> None:
    (work / "shared/steps.py").write_bytes(MINE)
    outcome = said(accepted("catch-up", "6", "--json"))
    for rung in rungs():
        for path in rung.modules:
            wanted = REFERENCE / path if rung.number < 6 else START / path
            assert (work / path).read_bytes() == (MINE if path == "shared/steps.py" else wanted.read_bytes()), path
    assert (Path(outcome["stash"]) / "shared/retries.py").read_bytes() == MINE
    assert (work / "notes.md").read_bytes() == MINE


def test_a_reset_touches_the_modules_of_its_exercise_and_no_other(accepted: Typed, work: Path) -> None:
    before = contents(work)
    outcome = said(accepted("reset", "4", "--json"))
    after = contents(work)
    assert {path for path in before | after if before.get(path) != after.get(path)} == {"shared/retries.py"}
    assert after["shared/retries.py"] == (START / "shared/retries.py").read_bytes()
    assert (Path(outcome["stash"]) / "shared/retries.py").read_bytes() == MINE


def test_where_nothing_changes_no_stash_is_made(accepted: Typed, work: Path) -> None:
    said(accepted("reset", "4", "--json"))
    made = stash.all_of(Work(work))
    assert said(accepted("reset", "4", "--json"))["stash"] is None
    assert stash.all_of(Work(work)) == made


def test_a_restore_of_a_stash_that_is_not_there_names_those_that_are(accepted: Typed, work: Path) -> None:
    kept = said(accepted("reset", "4", "--json"))["stash"]
    result = accepted("restore", "yesterday")
    assert result.exit_code == 1 and kept in result.output
    assert said(accepted("restore", "--list", "--json"))["stashes"] == [kept]


def test_a_save_while_the_stash_is_made_is_kept_too(work: Path) -> None:
    later, module = b"# saved in the last moment\n", work / "shared/retries.py"
    with turns.alone(Work(work)):
        kept = replace(
            Work(work), "reset-4", {"shared/retries.py": START / "shared/retries.py"},
            lambda whose, where: module.write_bytes(later) and None, lambda kept: None,
        )  # fmt: skip
    assert kept and (kept / "shared/retries.py").read_bytes() == later


def test_what_can_not_be_put_away_is_not_replaced(work: Path) -> None:
    work.with_name("work.stash").mkdir(exist_ok=True)
    before = contents(work)
    (work / "shared/unreadable.py").symlink_to(work / "shared")  # a folder, so no file
    os.mkfifo(work / "shared/pipe.py")  # neither is this
    (work.with_name("work.stash") / ".lock").unlink(missing_ok=True)
    work.with_name("work.stash").rmdir()
    work.with_name("work.stash").write_text("a file where the stash would be")
    done = subprocess.run([*COMMAND, "reset", "4"], cwd=work.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot write" in done.stderr and "Traceback" not in done.stderr
    assert contents(work) == before


def test_several_at_the_same_time_take_turns_and_nothing_is_lost(work: Path) -> None:
    commands = (["catch-up", "6"], ["reset", "4"], ["start", "--at", "2"], ["restore"])
    at_once = [subprocess.Popen([*COMMAND, *each, "--json"], cwd=work.parent) for each in commands]
    assert [each.wait(60) for each in at_once][:3] == [0, 0, 0], "a restore may come before there is a stash"
    kept = [path / "shared/retries.py" for path in stash.all_of(Work(work))]
    assert MINE in [path.read_bytes() for path in kept]
    assert not list(work.rglob(".*.py.*")), "no half-written file stays"


def test_who_waits_for_another_too_long_is_told_so(
    accepted: Typed, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    with (work.with_name("work.stash") / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = accepted("reset", "4")
    assert result.exit_code == 1 and "is busy" in result.output
    assert (work / "shared/retries.py").read_bytes() == MINE
