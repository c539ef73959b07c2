"""An exercise that is not well-formed is refused with the line to mend; those that there are, are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.grade.exercise import folders, load, put
from accepted.ladder import compose, files
from accepted.stack.errors import Problem

Toy = Callable[..., Path]
TWO = """
intended = "a"
[checks.a]
says = "x"
[checks.b]
says = "x"
"""


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('intended = "a"', "checks: Field required"),
        (TWO.replace('intended = "a"', 'intended = "c"'), "intended is c, which is no check"),
        (TWO + 'needs = ["c"]', "checks.b needs c, which is no check"),
        (TWO + 'needs = ["b"]', "checks need one another in a circle"),
        (TWO + '[known_bad.x]\nflaw = "f"\nfails = "c"', "known_bad.x fails c, which is no check"),
        (TWO + '[known_bad.x]\nflaw = "f"\nfails = "b"', "only one of them has x"),
        (TWO + 'nedds = ["a"]', "checks.b.nedds: Extra inputs are not permitted"),
        (TWO + "this is no toml", "cannot read"),
    ],
)
def test_what_is_wrong_with_an_exercise_is_named(toy: Toy, toml: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        load(toy(toml))
    assert said in caught.value.report()


def test_checks_come_after_those_that_they_need_and_otherwise_as_written(toy: Toy) -> None:
    toml = TWO.replace("[checks.b]", '[checks.c]\nsays = "x"\nneeds = ["b"]\n[checks.b]')
    assert load(toy(toml)).toml.order() == ["a", "b", "c"]


@pytest.mark.parametrize("number", folders())
def test_each_exercise_is_whole(number: int, tmp_path: Path) -> None:
    exercise = load(folders()[number])
    assert exercise.modules(), "the ladder knows it"
    assert {"README.md", "checks.py", "hints/1.md", "hints/2.md", "hints/3.md"} <= files(exercise.folder)
    assert len(exercise.toml.known_bad) >= 5
    brief = (exercise.folder / "README.md").read_text()
    assert [name for name in exercise.toml.checks if name not in brief] == [], "the brief names every check"
    good = compose(tmp_path / "good", {*exercise.toml.prerequisites, number})
    for name in exercise.toml.known_bad:
        bad = exercise.known_bad(name, tmp_path / name)
        changed = {path for path in files(good) if (bad / path).read_bytes() != (good / path).read_bytes()}
        assert changed, name
        for path in changed:
            compile((bad / path).read_text(), path, "exec")


def test_a_known_bad_that_no_longer_fits_says_so(tmp_path: Path) -> None:
    module = tmp_path / "routes.py"
    module.write_text("one\n")
    with pytest.raises(Problem, match=r"found 0 times in routes\.py"):
        put(module, {"old": "two", "new": "three"}, "x")
