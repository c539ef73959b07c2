"""What the commands of the loop say, once."""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from accepted.grade.exercise import folders
from accepted.ladder import EXERCISES, ROOT
from accepted.loop.invocation import program
from accepted.loop.standing import Standing, next_of, standings
from accepted.loop.work import DEFAULT, Work, found

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
    rows = standings(work, root)
    mine = next((one for one in rows if one.number == number), None)
    if verdict == "fail" and mine is not None:
        return [stuck(number, "once more" if mine.hints else FIRST_HINT, root)]
    if verdict != "pass":
        return []
    following = next_of(rows)
    if following is None:
        return ["that was the last one: make score"]
    return [f"next: make exercise-{following.number}, {following.title}; its brief is {brief(following.number, root)}"]


def replay(number: int, where: Path, backend: str, seed: int, app: bool = False) -> str:
    """What grades it again, with the same chances, when it is typed where the person stands."""
    chosen = {"BACKEND": backend, "SEED": str(seed)}
    if not app and _make_takes(where):
        tree = {} if _unnamed(where) else {"TREE": str(where)}
        said = [f"{name}={shlex.quote(value)}" for name, value in (tree | chosen).items()]
        return " ".join([f"make exercise-{number}", *said])
    place = f"--{'app' if app else 'tree'} {shlex.quote(str(where))}"
    return f"{program()} check {number} {place} --backend {backend} --seed {seed}"


def _make_takes(tree: Path) -> bool:
    """Whether they stand at the checkout's root, and the tree is in it, under a name that make leaves as it is."""
    if not Path().samefile(ROOT) or not (ROOT / "Makefile").is_file():
        return False
    return tree.resolve().is_relative_to(ROOT) and not set("$#\\\n") & set(str(tree))


def _unnamed(tree: Path) -> bool:
    """Whether this is the tree that is graded where none is named."""
    return tree == DEFAULT and not os.environ.get("TREE") and found(tree) is not None


def table(rows: list[Standing]) -> list[str]:
    """A line for each exercise: how it stands, what was earned, what was shown."""
    width = max(len(one.title) for one in rows)
    return [_row(one, width) for one in rows]


def as_rows(rows: list[Standing]) -> list[Mapping[str, Any]]:
    """The same for a machine."""
    return [{**vars(one), "passed": one.passed} for one in rows]


def _row(one: Standing, width: int) -> str:
    mark = "✓" if one.passed else "·" if one.given else "✗" if one.verdict == "fail" else " "
    passed = "passed, edited since" if one.edited else "passed"
    how = "the reference's" if one.given else {"pass": passed, "fail": "failed"}.get(one.verdict or "", "")
    notes = [f"{one.tries} tr{'y' if one.tries == 1 else 'ies'}"] if one.tries else []
    notes += [f"hints to level {one.hints}"] if one.hints else []
    if one.with_reference:
        notes.append("passed after the reference was shown")
    elif one.reference:
        notes.append("the reference was shown")
    points = f"{one.points:>3} of {one.worth:<3}"
    return f" {mark} {one.number:>2}  {one.title:<{width}}  {how:<20}  {points}  {', '.join(notes)}".rstrip()
