"""What the commands of the loop say, once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from accepted.grade.exercise import folders
from accepted.ladder import EXERCISES, ROOT
from accepted.loop.standing import Standing, next_of, standings
from accepted.loop.work import Work

FIRST_HINT = "a question that helps"


class Said:
    """Lines for a person or, with `as_json`, one JSON object for a machine."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        if not self.as_json:
            click.echo(text)

    def put_away(self, work: Work, kept: Path) -> None:
        """Said before the first file changes: whatever comes then, it can be found."""
        self.line(f"Your files as they were: {kept}")
        self.line(f"  they come back with: {work.way_back(kept)}")

    def outcome(self, **values: Any) -> None:
        if self.as_json:
            click.echo(json.dumps({name: str(v) if isinstance(v, Path) else v for name, v in values.items()}, indent=1))


def brief(number: int, root: Path = EXERCISES) -> str:
    """The path of an exercise's brief."""
    path = folders(root)[number] / "README.md"
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def stuck(number: int, hint: str = FIRST_HINT, root: Path = EXERCISES) -> str:
    """To someone whose tree failed. `hint`: what the next one is to them."""
    return f"stuck? make hint-{number} ({hint}); everything the checks do is in {brief(number, root)}"


def onwards(work: Work, number: int, verdict: str, root: Path = EXERCISES) -> list[str]:
    """What to do after a grading."""
    found = standings(work, root)
    mine = next((one for one in found if one.number == number), None)
    if verdict == "fail" and mine is not None:
        return [stuck(number, "once more" if mine.hints else FIRST_HINT, root)]
    if verdict != "pass":
        return []
    following = next_of(found)
    if following is None:
        return ["that was the last one: make score"]
    return [f"next: make exercise-{following.number}, {following.title}; its brief is {brief(following.number, root)}"]


def table(found: list[Standing]) -> list[str]:
    """A line for each exercise: how it stands, what was earned, what was shown."""
    width = max(len(one.title) for one in found)
    return [_row(one, width) for one in found]


def as_rows(found: list[Standing]) -> list[Mapping[str, Any]]:
    """The same for a machine."""
    return [{**vars(one), "passed": one.passed} for one in found]


def _row(one: Standing, width: int) -> str:
    mark = "✓" if one.passed else "·" if one.given else "✗" if one.verdict == "fail" else " "
    how = "the reference's" if one.given else {"pass": "passed", "fail": "failed"}.get(one.verdict or "", "")
    notes = [f"{one.tries} tr{'y' if one.tries == 1 else 'ies'}"] if one.tries else []
    notes += [f"hints to level {one.hints}"] if one.hints else []
    if one.with_reference:
        notes.append("passed after the reference was shown")
    elif one.reference:
        notes.append("the reference was shown")
    points = f"{one.points:>3} of {one.worth:<3}"
    return f" {mark} {one.number:>2}  {one.title:<{width}}  {how:<15}  {points}  {', '.join(notes)}".rstrip()
