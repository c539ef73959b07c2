"""docs/coverage.md names only what exists, and leaves no demand without an answer."""

import re
from collections.abc import Collection

import pytest

from accepted.grade.exercise import folders, load
from accepted.ladder import ROOT

ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "coverage.md").read_text())
PLANNED = {
    10: "pools", 12: "observe", 13: "secure", 14: "operate", 15: "sagas", 16: "prove-it", 17: "migrate", 18: "capstone",
}  # fmt: skip
DEMANDS = {"C": 21, "P": 3, "B": 7, "M": 17, "T": 9, "E": 26, "F": 8}  # how many the question makes of each sort


def exists(named: str) -> bool:
    """A path, or `03/twenty-copies`: a check or a known-bad of exercise 3."""
    found = re.fullmatch(r"(\d\d)/([a-z0-9-]+)", named)
    if not found:
        return (ROOT / named).is_file()
    folder = folders().get(int(found[1]))
    toml = load(folder).toml if folder else None
    return toml is not None and (found[2] in toml.checks or found[2] in toml.known_bad)


def awaited(held: str) -> set[int]:
    """The exercises that are to hold what nothing holds yet."""
    return {int(each) for each in re.findall(r"exercises? (\d+)", held.lower().partition("not yet")[2])}


def arrived(held: str, there: Collection[str]) -> list[str]:
    """Those of them that are there, by their names: somebody's own exercise may have taken the number."""
    return [PLANNED[number] for number in sorted(awaited(held)) if PLANNED.get(number) in there]


@pytest.mark.parametrize(("number", "held"), [(number, held) for number, _, held in ROWS])
def test_all_that_holds_a_demand_exists(number: str, held: str) -> None:
    named = re.findall(r"`([^`]+)`", held)
    assert named or held.lower().startswith("not yet"), "something holds it, or it says `not yet`"
    assert [one for one in named if not exists(one)] == []


@pytest.mark.parametrize(("number", "held"), [(number, held) for number, _, held in ROWS])
def test_what_is_there_is_not_called_not_yet(number: str, held: str) -> None:
    there = [folder.name[3:] for folder in folders().values()]
    assert awaited(held) <= set(PLANNED), "nobody has planned that exercise, or it has been there all along"
    assert arrived(held, there) == [], "that exercise is there: name the check or known-bad that holds it"


def test_an_exercise_of_ones_own_under_a_planned_number_is_another() -> None:
    held = "`tests/x.py`. Not yet: exercise 12, and exercise 13"
    assert awaited(held) == {12, 13}
    assert arrived(held, ["accept", "rate-limits"]) == []
    assert arrived(held, ["accept", "observe"]) == ["observe"]


def test_the_page_says_which_exercises_are_planned() -> None:
    said = " ".join((ROOT / "docs" / "coverage.md").read_text().split())
    *most, last = (f"{number} {name}" for number, name in PLANNED.items())
    assert f"Planned are {', '.join(most)} and {last}." in said


def test_each_common_mistake_is_a_known_bad_or_says_that_it_is_none_yet() -> None:
    bads = {f"{number:02}/{name}" for number, folder in folders().items() for name in load(folder).toml.known_bad}
    loose = [number for number, _, held in ROWS if number[0] == "M" and "not yet" not in held.lower()
             and not bads & set(re.findall(r"`([^`]+)`", held))]  # fmt: skip
    assert loose == ["M13"], "which a test of the containers holds: no tree of an exercise starts them"


def test_every_demand_has_a_line_and_lines_are_numbered() -> None:
    """So that a line that the pattern does not read can not go unseen, nor one that is gone, be it the last one."""
    numbers = [number for number, _, _ in ROWS]
    written = re.findall(r"^\| ([A-Z]\d+) ", (ROOT / "docs" / "coverage.md").read_text(), re.MULTILINE)
    assert numbers == written
    assert numbers == [f"{letter}{n}" for letter, many in DEMANDS.items() for n in range(1, many + 1)]


def test_what_is_not_there_is_noticed() -> None:
    assert not exists("03/no-such-check")
    assert not exists("99/boots")
    assert not exists("tests/no/such.py")
    assert exists("03/looks-then-acts")
