"""`accepted lint-exercises`: whether an exercise has the form of one. It boots nothing and grades nothing."""

import ast
import json
import re
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import click

from accepted.grade.exercise import Exercise, folders, load
from accepted.grade.verdict import USAGE
from accepted.ladder import REFERENCE, compose, files, rungs
from accepted.stack.errors import Problem
from accepted.stack.procfile import read

FILES = ("README.md", "checks.py", "hints/1.md", "hints/2.md", "hints/3.md")
SECTIONS = ("Your task", "Exactly what the grader does", "The interviewer asks on")
KNOWN_BADS = 5  # at least
WORDS = 1200  # of a brief, at most: it is read by somebody who wants to begin
LINK = re.compile(r"\]\(([^)#\s]+)")
LEFT = "TODO"


@click.command("lint-exercises")
@click.argument("numbers", nargs=-1, type=int, metavar="[N]...")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, and nothing else.")
def command(numbers: tuple[int, ...], as_json: bool) -> None:
    """Say what exercises N (default: all) still lack to be well-formed: a line for each thing to mend.

    Exits 0 where nothing is, 1 where something is, 2 where there is no such exercise. Whether the checks judge rightly
    is what `accepted graders --ex N` tells.
    """
    known = folders()
    if odd := sorted(set(numbers) - set(known)):
        there = ", ".join(map(str, known)) or "none"
        click.echo(f"Error: there is no exercise {odd[0]}; there are {there}", err=True)
        sys.exit(USAGE)
    found = {known[number]: wrong(known[number]) for number in sorted(set(numbers) or known)}
    if as_json:
        click.echo(json.dumps({folder.name: lines for folder, lines in found.items()}, indent=1))
    else:
        for folder, lines in found.items():
            click.echo(f"{folder.name}: {f'{len(lines)} thing(s) to mend' if lines else 'well-formed'}")
            for line in [*lines, *worth_a_look(folder)]:
                click.echo(f"  {line}")
    sys.exit(1 if any(found.values()) else 0)


def wrong(folder: Path) -> list[str]:
    """What has to be mended in an exercise's folder; empty where it is well-formed."""
    try:
        exercise = load(folder)
    except Problem as problem:
        return problem.report().splitlines()
    except UnicodeDecodeError as error:
        return [f"a file is no text in UTF-8: {error}"]
    there = files(folder)
    found = [f"{name} is missing" for name in FILES if name not in there]
    found += [f"{name} is empty" for name in sorted(there) if not (folder / name).read_bytes().strip()]
    found += [f"{name} has a {LEFT} in it" for name in sorted(there) if LEFT in _text(folder / name)]
    found += _graph(exercise) + _checks(exercise) + _brief(exercise) + _links(exercise, there)
    return found + _known_bads(exercise)


def _graph(exercise: Exercise) -> list[str]:
    toml, known = exercise.toml, {rung.number for rung in rungs()}
    found = []
    if not exercise.modules():
        found.append(f"exercises/ladder.toml has no modules under [{toml.number}]: which does the learner mend?")
    found += [f"prerequisites: the ladder has no {one}" for one in toml.prerequisites if one not in known]
    if toml.number in toml.prerequisites:
        found.append("prerequisites: it needs itself")
    there = read(REFERENCE / "Procfile")
    return found + [f"processes: {one} is none of the Procfile's" for one in toml.processes if one not in there]


def _checks(exercise: Exercise) -> list[str]:
    """Functions that pytest would take for checks, beside those that exercise.toml names."""
    path = exercise.folder / "checks.py"
    try:
        body = ast.parse(_text(path)).body
    except SyntaxError as error:
        return [f"checks.py is no Python: line {error.lineno}: {error.msg}"]
    names = [one.name for one in body if isinstance(one, ast.FunctionDef)]
    names += [each.asname or each.name for one in body if isinstance(one, ast.ImportFrom) for each in one.names]
    written = {one.removeprefix("check_").replace("_", "-") for one in names if one.startswith("check_")}
    named = set(exercise.toml.checks)
    found = [f"checks.py lacks def check_{one.replace('-', '_')}" for one in sorted(named - written)]
    return found + [f"exercise.toml lacks [checks.{one}]" for one in sorted(written - named)]


def _brief(exercise: Exercise) -> list[str]:
    brief = _text(exercise.folder / "README.md")
    if not brief:
        return []
    found = [f"README.md lacks the section {one!r}" for one in SECTIONS if f"## {one}\n" not in brief]
    unnamed = [one for one in exercise.toml.checks if not re.search(rf"(?<![\w-]){one}(?![\w-])", brief)]
    if (words := len(brief.split())) > WORDS:
        found.append(f"README.md has {words} words; {WORDS} at most")
    return found + [f"README.md does not say what check {one} does" for one in unnamed]


def _links(exercise: Exercise, there: Collection[str]) -> list[str]:
    """Of every page, to files; what leads to the network is not looked at."""
    pages = [(name, exercise.folder / name) for name in sorted(there) if name.endswith(".md")]
    linked = [(name, path.parent / to, to) for name, path in pages for to in LINK.findall(_text(path)) if ":" not in to]
    return [f"{name} links to {to}, which is not there" for name, path, to in linked if not path.exists()]


def worth_a_look(folder: Path) -> list[str]:
    """No fault of form, and exit 0: checks that no known-bad fails. Those that others need stand aside:
    without them there is nothing to judge."""
    try:
        exercise = load(folder)
    except (Problem, UnicodeDecodeError):
        return []
    toml = exercise.toml
    failed = {bad.fails for bad in toml.known_bad.values()} | {toml.intended, exercise.start_intended}
    needed = {name for check in toml.checks.values() for name in check.needs}
    return [f"worth a look: no known-bad fails {name}" for name in toml.checks if name not in failed | needed]


def _known_bads(exercise: Exercise) -> list[str]:
    """Each has to fit on the reference, change it, and be Python still."""
    toml = exercise.toml
    found = []
    if len(toml.known_bad) < KNOWN_BADS:
        found.append(f"known_bad: {len(toml.known_bad)} of at least {KNOWN_BADS}")
    with tempfile.TemporaryDirectory(prefix="accepted-lint-") as private:
        good = compose(Path(private) / "good", {*toml.prerequisites, toml.number})
        for name in toml.known_bad:
            try:
                bad = exercise.known_bad(name, Path(private) / name)
                changed = [path for path in files(bad) if _text(bad / path) != _text(good / path)]
                for path in changed:
                    compile(_text(bad / path), path, "exec")
            except Problem as problem:
                found.append(str(problem))
            except SyntaxError as error:
                found.append(f"known-bad {name} is no Python: {error.filename}, line {error.lineno}: {error.msg}")
            except (OSError, ValueError, KeyError) as error:
                found.append(f"known-bad {name} can't be laid: {type(error).__name__}: {error}")
            else:
                if not changed:
                    found.append(f"known-bad {name} changes nothing")
    return found


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
