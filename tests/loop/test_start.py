"""`accepted start`: a whole tree or none, in any folder that is named, and a line where it can't be."""

import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from accepted import ladder
from accepted.ladder import EXERCISES, compose
from tests.loop.conftest import COMMAND, MINE, Typed, contents, said


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_start_at_an_exercise_is_the_tree_of_someone_who_did_all_below(accepted: Typed, here: Path, at: int) -> None:
    outcome = said(accepted("start", "--at", str(at), "--backend", "celery-redis", "--json"))
    assert contents(here / "work") == contents(compose(here / "expected", at - 1))
    assert (outcome["next"], outcome["backend"], outcome["stash"]) == (at, "celery-redis", None)


def test_a_second_start_goes_on_with_the_tree_that_is_there(accepted: Typed, work: Path) -> None:
    before = contents(work)
    outcome = said(accepted("start", "--backend", "celery-redis", "--json"))
    assert contents(work) == before
    assert (outcome["outcome"], outcome["next"], outcome["backend"]) == ("still there", 4, "celery-redis")


def test_a_folder_with_something_else_in_it_is_left_alone(accepted: Typed, here: Path) -> None:
    (here / "work").mkdir()
    (here / "work/thesis.tex").write_bytes(MINE)
    for arguments in (["start"], ["start", "--at", "3"], ["reset", "1"], ["catch-up", "3"], ["restore"]):
        result = accepted(*arguments)
        told = "something else in it" if arguments[0] == "start" else "is not a tree to work in"
        assert result.exit_code == 1 and told in result.output, arguments
    assert contents(here / "work") == {"thesis.tex": MINE}


def test_the_tree_can_be_the_folder_that_one_stands_in(
    accepted: Typed, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = here / "mine"
    tree.mkdir()
    monkeypatch.chdir(tree)
    said(accepted("start", "--json", "--dir", "."))
    assert tree.samefile("."), "and one still stands in it"
    assert contents(tree) == contents(compose(here / "expected", 0))
    for stands, named in ((tree, "."), (tree / "shared", "..")):
        monkeypatch.chdir(stands)
        (tree / "shared/routes.py").write_bytes(MINE)
        kept = Path(said(accepted("reset", "1", "--json", "--dir", named))["stash"])
        assert kept.parent == here / "mine.stash" and (kept / "shared/routes.py").read_bytes() == MINE


def test_a_folder_with_no_place_for_stashes_beside_it_is_a_usage_error(
    accepted: Typed, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert accepted("start", "--dir", "/").exit_code == 2
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = accepted("start", "--dir", ".")
    assert result.exit_code == 2 and "the folder that you are in is gone" in result.output


@pytest.mark.parametrize("typed", [["start"], ["start", "--at", "2"]])
def test_a_disk_that_takes_no_more_is_one_line(accepted: Typed, here: Path, typed: list[str]) -> None:
    if "--at" in typed:
        said(accepted("start", "--json"))
    before = contents(here / "work")
    done = subprocess.run([*COMMAND, *typed], cwd=here, capture_output=True, text=True, timeout=60, preexec_fn=full)
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.splitlines()) == 1 and len(done.stderr) < 400, done.stderr
    assert "cannot write" in done.stderr and ": file too large. " in done.stderr
    assert contents(here / "work") == before
    assert [path.name for path in (here / "work.stash").iterdir()] == [".lock"], "nothing is left of it"


def test_a_place_that_takes_no_folder_is_one_line(accepted: Typed, here: Path) -> None:
    (here / "work").symlink_to("a-disk-that-is-not-there")
    result = accepted("start")
    assert result.exit_code == 1 and "cannot write work: not a directory" in result.output
    assert [path.name for path in (here / "work.stash").iterdir()] == [".lock"], "nothing is left of it"


def full() -> None:
    """No file may grow beyond so many bytes, which stands for a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))


def test_a_rung_without_its_name_is_told_with_the_cure(
    accepted: Typed, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXERCISES, here / "exercises")
    monkeypatch.setattr(ladder, "EXERCISES", here / "exercises")
    file = here / "exercises/ladder.toml"
    for text, told in (
        ('[1]\nmodules = ["shared/routes.py"]\n', 'Write name = "…" under [1].'),
        ('[one]\nname = "accept"\n', "[one] in"),
        ("[1\n", "at line 1"),
    ):
        file.write_text(text)
        result = accepted("start")
        assert result.exit_code == 1 and told in result.output and "ladder.toml" in result.output
