"""`accepted hint` and `accepted diff`. What was shown is written down."""

import difflib
import re
from pathlib import Path

import click

from accepted.demo.screen import Screen
from accepted.grade.exercise import find
from accepted.ladder import EXERCISES, REFERENCE
from accepted.loop import journal
from accepted.loop.modules import paths
from accepted.loop.options import NUMBER, as_json, directory
from accepted.loop.standing import level_shown
from accepted.loop.telling import Said
from accepted.loop.work import Work, found, opened
from accepted.stack.environment import CHOICES
from accepted.stack.errors import Problem

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--level", type=click.IntRange(min=1), help="This one; else the next that you have not seen.")
@directory
@as_json
def hint(number: int, level: int | None, directory: Path, as_json: bool) -> None:
    """Show the next hint for exercise NUMBER: a question, then the idea, then nearly the code."""
    said, work = Said(as_json), found(directory)
    level, levels, text = reveal(number, level, work)
    said.outcome(exercise=number, level=level, levels=levels, text=text)
    said.line(text)
    said.line(after(number, level, levels))


def reveal(number: int, level: int | None, work: Work | None, root: Path = EXERCISES) -> tuple[int, int, str]:
    """The level, how many there are, and its text; written down. Raises Problem where there is no such level."""
    there = sorted((find(number, root).folder / "hints").glob("*.md"), key=lambda path: _digits(path.stem))
    if not there:
        raise Problem(f"exercise {number} has no hints", "its folder hints/ is empty", "Its brief has to be enough.")
    wanted = level or (level_shown(work, number) + 1 if work else 1)
    if level and level > len(there):
        raise Problem(f"there is no hint {level}", f"exercise {number} has {len(there)}", "Leave out --level.")
    wanted = min(wanted, len(there))
    text = there[wanted - 1].read_text().strip()
    if work:
        journal.add(work, "hint", exercise=number, level=wanted)
    return wanted, len(there), text


def after(number: int, level: int, levels: int) -> str:
    """The line under a hint: which of how many it was, and what shows more."""
    if level < levels:
        return f"\n(hint {level} of {levels}; the next: make hint-{number})"
    return f"\n(hint {level} of {levels}, the last; the reference beside yours: make diff-{number})"


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), help="Whose modules, where each library has "
              "its own (default: $BACKEND, else the one that the tree was started with).")  # fmt: skip
@directory
@as_json
def diff(number: int, backend: str | None, directory: Path, as_json: bool) -> None:
    """Show what the reference does otherwise in the modules of exercise NUMBER: - is yours, + the reference's."""
    said, work = Said(as_json), opened(directory)
    screen = Screen(quiet=as_json)
    backend = backend or work.backend
    differences = {path: difference(work.tree / path, REFERENCE / path, path) for path in paths(number, backend)}
    journal.add(work, "diff", exercise=number)
    said.outcome(exercise=number, backend=backend, files=differences)
    for lines in differences.values():
        for line in lines:
            colour = COLOURS.get(line[:1])
            screen.line(screen.style(line, fg=colour) if colour else line)
    if not any(differences.values()):
        said.line(f"No difference: your modules of exercise {number} are the reference's.")


def difference(mine: Path, reference: Path, path: str) -> list[str]:
    """As `diff -u` has it; a file that one of them lacks is empty there."""
    yours = mine.read_text(errors="replace").splitlines() if mine.is_file() else []
    theirs = reference.read_text().splitlines() if reference.is_file() else []
    return list(difflib.unified_diff(yours, theirs, f"yours/{path}", f"reference/{path}", lineterm=""))


def _digits(stem: str) -> tuple[int, str]:
    found = re.match(r"\d+", stem)
    return (int(found[0]) if found else 0, stem)
