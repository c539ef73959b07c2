"""What an exercise lacks is said line by line; a new one is laid under a free number, over nothing."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from accepted.cli import main
from accepted.grade.exercise import folders, load
from accepted.instructor.lint import worth_a_look, wrong
from accepted.instructor.skeleton import lay
from accepted.ladder import EXERCISES, rungs
from accepted.stack.errors import Problem

THREE = folders()[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Of exercise 3, to spoil."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "coverage.md").touch()  # its brief links there
    folder = tmp_path / "exercises" / THREE.name
    return Path(shutil.copytree(THREE, folder, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("number", folders())
def test_each_exercise_is_well_formed(number: int) -> None:
    assert wrong(folders()[number]) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("README.md", "twenty-copies", "many-copies", "README.md does not say what check twenty-copies does"),
        ("README.md", "## Your task", "## Do", "README.md lacks the section 'Your task'"),
        ("checks.py", "def check_works", "def see_works", "checks.py lacks def check_works"),
        ("checks.py", "def over", "def check_over", "exercise.toml lacks [checks.over]"),
        ("checks.py", "def check_works(", "def check_works", "checks.py is no Python: line"),
        ("exercise.toml", '"relay"', '"carrier"', "processes: carrier is none of the Procfile's"),
        ("exercise.toml", "[1, 2]", "[1, 2, 3, 77]", "prerequisites: the ladder has no 77"),
        ("exercise.toml", "[1, 2]", "[1, 2, 3]", "prerequisites: it needs itself"),
        ("exercise.toml", 'intended = "twenty-copies"', 'intended = "none"', "intended is none, which is no check"),
        ("hints/2.md", "", "TODO ", "hints/2.md has a TODO in it"),
        ("README.md", "", "far " * 1200, "words; 1200 at most"),
        (
            "hints/1.md",
            "",
            "[x](../none.md#there) [y](https://example.org/none) ",
            "links to ../none.md, which is not there",
        ),
        ("known_bad/looks-then-acts.toml", "def once(", "def once", "known-bad looks-then-acts is no Python"),
        ("known_bad/looks-then-acts.toml", "shared/effects", "shared/none", "known-bad looks-then-acts does not fit"),
    ],
)
def test_what_is_wrong_is_named(copy: Path, path: str, old: str, new: str, said: str) -> None:
    file = copy / path
    file.write_text(file.read_text().replace(old, new) if old else new + file.read_text())
    assert any(said in line for line in wrong(copy))


def test_a_known_bad_that_is_the_reference_is_not_bad(copy: Path) -> None:
    (copy / "known_bad" / "looks-then-acts.toml").write_text('[[change]]\nmodule="shared/core.py"\nold="a"\nnew="a"\n')
    assert any("looks-then-acts does not fit: its `old` is found" in line for line in wrong(copy))
    good = (EXERCISES.parent / "solutions" / "shared" / "effects.py").read_text()
    (copy / "known_bad" / "looks-then-acts.toml").write_text(
        f"[[change]]\nmodule = 'shared/effects.py'\nfile = '''\n{good}'''\n"
    )
    assert wrong(copy) == ["known-bad looks-then-acts changes nothing"]


def test_a_check_that_no_known_bad_fails_is_said_and_is_no_fault(copy: Path) -> None:
    toml = (copy / "exercise.toml").read_text().replace('fails = "new-version-new-effect"', 'fails = "works"')
    (copy / "exercise.toml").write_text(toml)
    said = "worth a look: no known-bad fails new-version-new-effect"
    assert said in worth_a_look(copy) and said not in worth_a_look(THREE)
    assert not any("fails works" in line for line in worth_a_look(copy)), "others need it: they could not be judged"
    assert wrong(copy) == []


def test_a_missing_or_empty_file_is_named_and_no_crash(copy: Path) -> None:
    (copy / "README.md").unlink()
    (copy / "hints" / "3.md").write_text(" \n")
    (copy / "checks.py").write_bytes(b"\xff\xfe")
    found = wrong(copy)
    assert "README.md is missing" in found
    assert "hints/3.md is empty" in found
    assert any(line.startswith("checks.py is no Python") for line in found)


def test_a_new_exercise_can_be_read_and_says_what_it_still_lacks(tmp_path: Path) -> None:
    folder = lay("of-nobody", tmp_path)
    exercise = load(folder)
    assert folder.name == f"{exercise.toml.number:02}-of-nobody"
    assert exercise.toml.title == "Of nobody"
    assert exercise.toml.number > max(rung.number for rung in rungs()), "none that the ladder has for another"
    found = wrong(folder)
    assert "known_bad: 1 of at least 5" in found
    assert any("ladder.toml has no modules" in line for line in found)
    assert any("README.md has a TODO" in line for line in found)
    assert not any("no Python" in line or "lacks" in line or "fit" in line or "laid" in line for line in found)


def test_nothing_is_written_over_and_the_next_is_the_next(tmp_path: Path) -> None:
    first = lay("one", tmp_path)
    (first / "README.md").write_text("mine")
    with pytest.raises(Problem, match="there is an exercise one"):
        lay("one", tmp_path)
    assert (first / "README.md").read_text() == "mine"
    assert int(lay("two", tmp_path).name[:2]) == int(first.name[:2]) + 1


def test_what_the_ladder_has_planned_keeps_its_number(tmp_path: Path) -> None:
    planned = rungs()[-1]
    assert lay(planned.name, tmp_path).name == f"{planned.number:02}-{planned.name}"


@pytest.mark.parametrize("name", ["../x", "Big", "a--b", "-a", "", "a b", "a/b", "ä"])
def test_a_name_that_is_none_lays_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no name for an exercise"):
        lay(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_hundredth_exercise_is_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "99-last").mkdir()
    with pytest.raises(Problem, match="no number left"):
        lay("one-more", tmp_path)


def test_the_command_says_it_by_its_exit_code() -> None:
    good = CliRunner().invoke(main, ["lint-exercises", "3"])
    assert good.exit_code == 0 and good.output.startswith("03-idempotent: well-formed\n")
    odd = CliRunner().invoke(main, ["lint-exercises", "77"])
    assert odd.exit_code == 2
    assert "there is no exercise 77; there are 1, 2" in odd.output
