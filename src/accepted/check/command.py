"""`accepted check N`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

from accepted.check import report as reporting
from accepted.check.settled import grade_into, require_writable
from accepted.demo.screen import Screen
from accepted.grade.exercise import find
from accepted.grade.verdict import UNJUDGED, USAGE
from accepted.loop.journal import graded
from accepted.loop.modules import digest
from accepted.loop.options import NUMBER
from accepted.loop.telling import onwards, replay
from accepted.loop.work import found, to_grade
from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.procfile import read


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--tree", default=None, help="The application to grade (default: $TREE, else work, which "
              "`accepted start` makes).")  # fmt: skip
@click.option("--app", default=None, type=click.Path(path_type=Path, file_okay=False), help="Instead of a tree: the "
              "folder of an app of your own, graded by its Procfile (docs/contract.md).")  # fmt: skip
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), help="The broker and its library (default: "
              "$BACKEND, else the one that the tree was started with, else rq).")  # fmt: skip
@click.option("--seed", envvar="SEED", default=1, show_default=True, type=int, help="Of everything that is random.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit's XML there as well.")
@click.option("--results", default=Path("results"), type=click.Path(path_type=Path, file_okay=False), show_default=True,
              help="Where NN.json and the evidence go.")  # fmt: skip
def check(
    number: int, tree: str | None, app: Path | None, backend: str | None, seed: int, as_json: bool,
    junit: Path | None, results: Path,
) -> None:  # fmt: skip
    """Boot the tree, break things around it as exercise NUMBER says, and judge what its users and partners saw.

    Exits 0 where every check passed, 1 where one failed, 2 where it was asked for wrongly, 3 where it could not be
    judged. It grades in its own processes and reads nothing that the app prints. Whoever wants to cheat on their own
    machine still can: this is a teacher, not a proctor.
    """
    if tree and app:
        raise click.UsageError("--tree is a tree like ours, --app an app of your own: name one of them.")
    with _or_exit(USAGE):
        exercise = find(number)
        where = app or to_grade(tree, os.environ)
        work = None if app else found(where)
        hint, backend = _asked_for(where, backend or (work.backend if work else "rq"))
        require_writable(results / exercise.label)
        modules = digest(where, number, backend)
    screen = Screen(quiet=as_json)
    reporting.opening(screen, exercise.title, where, backend, seed)
    if hint:
        screen.line(f"   {hint}")
    if work and (said := work.cut_off()):
        screen.line(f"   {said}")
    told = reporting.Told(screen, max(map(len, exercise.toml.checks)))
    file = results / f"{exercise.label}.json"
    try:
        with _or_exit(UNJUDGED), Interrupts():
            report = grade_into(results, exercise, where, backend, seed, told, foreign=app is not None)
    except Interrupted:
        screen.line("   stopped; nothing is left running")
        sys.exit(130)
    if as_json:
        click.echo(reporting.as_json(report))
    for line in reporting.closing(report, replay(number, where, backend, seed, app is not None), file):
        screen.line(f"   {line}")
    with _or_exit(UNJUDGED):
        if work:
            graded(work, report, modules)
            for line in onwards(work, number, report.verdict):
                screen.line(f"   {line}")
        if junit:
            reporting.save(junit, reporting.junit(report))
    sys.exit(report.exit)


@contextmanager
def _or_exit(code: int) -> Iterator[None]:
    """A Problem within is told, and ends the command with that code."""
    try:
        yield
    except Problem as problem:
        click.echo(f"Error: {problem.report()}", err=True)
        sys.exit(code)


def _asked_for(tree: Path, backend: str) -> tuple[str | None, str]:
    """What a person should hear of the backend, and its name. Raises Problem."""
    if find_spec("pytest") is None:
        raise Problem("pytest is not there", "the checks run on it", "Install it with: make .venv/.ready-dev")
    read(tree / "Procfile")
    backend, hint = settle(backend, os.environ)
    return hint, backend
