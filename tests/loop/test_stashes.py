"""A stash gives back what was there, each file as it was, whatever has come in its place; no other folder is one."""

import json
import os
import shutil
from pathlib import Path

import pytest

from accepted.loop import journal, stash
from accepted.loop.changes import look
from accepted.loop.exchange import replace
from accepted.loop.turns import alone
from accepted.loop.work import Work
from tests.loop.conftest import MINE, Typed, contents, said


def kept_before(accepted: Typed, *typed: str) -> Path:
    return Path(said(accepted(*typed, "--json"))["stash"])


def test_a_file_comes_back_where_a_folder_is_now(accepted: Typed, work: Path) -> None:
    (work / "shared/notes").write_bytes(MINE)
    before = contents(work)
    kept = kept_before(accepted, "reset", "4")
    (work / "shared/notes").unlink()
    (work / "shared/notes/deep").mkdir(parents=True)
    (work / "shared/notes/deep/a.txt").write_text("later")
    now = contents(work)
    later = kept_before(accepted, "restore", kept.name)
    assert contents(work) == before
    said(accepted("restore", later.name, "--json"))
    assert contents(work) == now, "and the folder where the file is"


def test_a_file_where_a_folder_of_modules_has_to_be_gives_way(work: Path) -> None:
    shutil.rmtree(work / "shared")
    (work / "shared").write_bytes(MINE)
    with alone(Work(work)) as whose:
        kept = replace(whose, "catch-up-2", {"shared/deep/a.py": Path(__file__)}, print, print)
    assert (work / "shared/deep/a.py").read_bytes() == Path(__file__).read_bytes()
    assert kept and (kept / "shared").read_bytes() == MINE


def test_what_else_is_in_a_folder_that_gives_way_is_moved_to_the_stash(accepted: Typed, work: Path) -> None:
    (work / "shared/notes").write_bytes(MINE)
    kept = kept_before(accepted, "reset", "4")
    (work / "shared/notes").unlink()
    (work / "shared/notes/.git").mkdir(parents=True)
    (work / "shared/notes/.git/HEAD").write_text("mine as well")
    later = kept_before(accepted, "restore", kept.name)
    assert (work / "shared/notes").read_bytes() == MINE
    assert [path.read_text() for path in later.rglob("HEAD")] == ["mine as well"]


def test_a_folder_that_came_later_is_gone_after_a_restore(accepted: Typed, work: Path) -> None:
    kept = kept_before(accepted, "reset", "4")
    (work / "later/on").mkdir(parents=True)
    (work / "later/on/a.txt").write_bytes(MINE)
    said(accepted("restore", kept.name, "--json"))
    assert not (work / "later").exists()


def test_permissions_come_back(accepted: Typed, work: Path) -> None:
    run, secret = work / "run.sh", work / "secret.txt"
    for path, mode in ((run, 0o775), (secret, 0o600)):
        path.write_bytes(MINE)
        path.chmod(mode)
    kept = kept_before(accepted, "reset", "4")
    run.unlink()
    secret.chmod(0o644)
    said(accepted("restore", kept.name, "--json"))
    assert [path.stat().st_mode & 0o777 for path in (run, secret)] == [0o775, 0o600]


def test_links_come_back_as_links_and_nothing_is_written_through_one(accepted: Typed, work: Path) -> None:
    outside = work.parent / "outside.py"
    outside.write_bytes(MINE)
    (work / "shared/retries.py").unlink()
    (work / "shared/retries.py").symlink_to(outside)
    (work / "shared/nowhere").symlink_to("not/there")
    (work / "library").symlink_to(work.parent)
    kept = kept_before(accepted, "reset", "4")
    assert outside.read_bytes() == MINE and not (work / "shared/retries.py").is_symlink()
    for name in ("shared/nowhere", "library"):
        (work / name).unlink()
    (work / "library").mkdir()
    (work / "library/a.py").write_bytes(MINE)
    said(accepted("restore", kept.name, "--json"))
    assert (work / "shared/retries.py").readlink() == outside and outside.read_bytes() == MINE
    assert (work / "shared/nowhere").readlink() == Path("not/there")
    assert (work / "library").readlink() == work.parent


def test_modules_in_a_folder_elsewhere_are_not_replaced(accepted: Typed, work: Path) -> None:
    (work / "shared").rename(work.parent / "elsewhere")
    (work / "shared").symlink_to(work.parent / "elsewhere")
    result = accepted("reset", "4")
    assert result.exit_code == 1 and "work/shared is a link" in result.output
    assert (work / "shared/retries.py").read_bytes() == MINE


def test_the_newest_is_the_last_that_was_kept_whatever_was_done_to_the_others(accepted: Typed, work: Path) -> None:
    older = kept_before(accepted, "start", "--at", "2")
    (work / "shared/effects.py").write_bytes(MINE)
    newest = kept_before(accepted, "reset", "3")
    (older / "__pycache__").mkdir()
    shutil.copytree(older, older.with_name("a-copy"), copy_function=shutil.copyfile)
    os.utime(older, (2**32, 2**32))
    assert said(accepted("restore", "--json"))["restored"] == str(newest)


def test_what_passed_after_a_stash_was_kept_does_not_pass_after_its_restore(accepted: Typed, work: Path) -> None:
    kept = kept_before(accepted, "reset", "4")
    journal.add(Work(work), "graded", exercise=4, verdict="pass", given=False, backend="rq", seed=1, seconds=1.0)
    (kept / "__pycache__").mkdir()
    said(accepted("restore", kept.name, "--json"))
    assert said(accepted("score", "--json"))["next"] == 4
    assert journal.read(Work(work))[-1]["kept"] == json.loads((kept / stash.NOTE).read_text())["kept"]


def test_a_stash_without_its_note_is_as_old_as_its_name_says(accepted: Typed, work: Path) -> None:
    old = work.with_name("work.stash") / "20200101-120000-reset-4"
    (old / "shared").mkdir(parents=True)
    (old / "shared/retries.py").write_bytes(b"# long ago\n")
    newest = kept_before(accepted, "reset", "4")
    assert said(accepted("restore", "--list", "--json"))["stashes"] == [f"work.stash/{old.name}", str(newest)]
    said(accepted("restore", old.name, "--json"))
    assert contents(work) == {"shared/retries.py": b"# long ago\n"}


def test_a_stash_that_was_moved_is_one_still(accepted: Typed, work: Path) -> None:
    kept = kept_before(accepted, "reset", "4")
    kept.rename(work.parent / "usb-stick")
    said(accepted("restore", "usb-stick", "--json"))
    assert (work / "shared/retries.py").read_bytes() == MINE


@pytest.mark.parametrize("named", ["docs", "work", "work/shared", ".", "..", "work.stash"])
def test_a_folder_with_files_in_it_is_no_stash(accepted: Typed, work: Path, named: str) -> None:
    (work.parent / "docs").mkdir()
    (work.parent / "docs/contract.md").write_text("not of the tree")
    kept, before = kept_before(accepted, "reset", "4"), contents(work)
    result = accepted("restore", named)
    assert result.exit_code == 1 and "is no stash" in result.output
    assert "restore --list`" in result.output and str(kept) in result.output
    assert contents(work) == before


@pytest.mark.parametrize("packages", ["node_modules", "env"])
def test_packages_in_the_tree_are_neither_copied_nor_taken_away(accepted: Typed, work: Path, packages: str) -> None:
    installed = work / packages / "lib/left-pad"
    installed.mkdir(parents=True)
    (installed / "index.js").write_bytes(MINE)
    if packages == "env":
        (work / packages / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert not [path for path in look(work) if path.startswith(packages)], "nor watched"
    kept = kept_before(accepted, "start", "--at", "2")
    assert not (kept / packages).exists() and (installed / "index.js").read_bytes() == MINE
    said(accepted("restore", "--json"))
    assert (installed / "index.js").read_bytes() == MINE
