"""An exercise that is not well-formed is refused with the line to mend. tests/instructor holds those that there are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.grade.exercise import load, put
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


def test_a_known_bad_that_no_longer_fits_says_so(tmp_path: Path) -> None:
    module = tmp_path / "routes.py"
    module.write_text("one\n")
    with pytest.raises(Problem, match=r"found 0 times in routes\.py"):
        put(module, {"old": "two", "new": "three"}, "x")
