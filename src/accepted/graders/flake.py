"""`accepted flake`: one grader many times; no verdict may differ."""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from accepted.demo.screen import Screen
from accepted.grade.engine import Report, grade
from accepted.grade.exercise import Exercise, find
from accepted.grade.verdict import USAGE
from accepted.graders.command import progress
from accepted.ladder import REFERENCE, START
from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts

Signature = tuple[tuple[str, str], ...]  # each check and its status


@dataclass
class Runs:
    """Of one tree. `seconds`: each run's; `notes`: what was wrong with it."""

    tree: str
    seconds: list[float] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.seconds.append(report.seconds)
        self.signatures.append(tuple((one.name, one.status) for one in report.checks))
        wrong = [one for one in report.checks if one.status not in ("pass", "skipped")]
        self.notes.append("; ".join(f"{one.name}: {one.difference or one.message}" for one in wrong))

    @property
    def differ(self) -> dict[int, str]:
        """What each run came to that is unlike most, by its number."""
        return differing(self.signatures, self.notes)

    def __str__(self) -> str:
        median, worst = statistics.median(self.seconds), max(self.seconds)
        same = f"{len(self.differ)} differ" if self.differ else "no verdict differs"
        return f"{self.tree:<10} {len(self.seconds)} runs, {same}; median {median:.1f} s, worst {worst:.1f} s"


def differing(signatures: Sequence[Signature], notes: Sequence[str]) -> dict[int, str]:
    """Runs, by number from 1, whose verdicts are not those of most; each check that is otherwise, and why."""
    if not signatures:
        return {}
    usual = dict(Counter(signatures).most_common(1)[0][0])
    found = {}
    for number, (signature, note) in enumerate(zip(signatures, notes, strict=True), 1):
        odd = [(name, status) for name, status in signature if usual.get(name) != status]
        told = [one for one in odd if one[1] != "skipped"] or odd
        if told:
            words = ", ".join(f"{name} {status}, not {usual.get(name)}" for name, status in told)
            found[number] = f"{words} ({note})"
    return found


@click.command()
@click.argument("number", type=int)
@click.option("--times", default=20, show_default=True, type=click.IntRange(2), help="Runs of each tree.")
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), default="rq", show_default=True,
              help="The broker and its library.")  # fmt: skip
@click.option("--one-core", is_flag=True, help="Pin everything to one core.")
@click.option("--seed", type=int, default=None, help="The same for each run.  [default: the run's number]")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, and nothing else.")
@click.option("--results", default=Path("results"), type=click.Path(path_type=Path, file_okay=False), show_default=True,
              help="Where the evidence of runs goes that differ, below flake/.")  # fmt: skip
def flake(
    number: int, times: int, backend: str, one_core: bool, seed: int | None, as_json: bool, results: Path
) -> None:
    """Grade the reference and the start with exercise NUMBER many times: no verdict may differ.

    Exits 0 where none does, 1 where one does or the reference does not pass, 2 where it was asked for wrongly.
    """
    try:
        exercise = find(number)
        backend, _ = settle(backend, os.environ)
        if one_core:
            _pin()
    except Problem as problem:
        click.echo(f"Error: {problem.report()}", err=True)
        sys.exit(USAGE)
    screen = Screen(quiet=as_json)
    screen.line(f"{exercise.title}, {backend}" + (", one core" if one_core else ""))
    found = [Runs("reference"), Runs("start")]
    kept = results / "flake" / f"{exercise.label}-{backend}"
    try:
        with Interrupts(), tempfile.TemporaryDirectory(prefix="accepted-flake-") as folder:
            try:
                _run(exercise, backend, times, seed, found, Path(folder), screen)
            finally:
                _keep(found, Path(folder), kept)
    except Interrupted:
        screen.close_bar()
        screen.line("   stopped; nothing is left running")
        sys.exit(130)
    for runs in found:
        screen.line(f"   {runs}")
        for turn, line in runs.differ.items():
            screen.line(f"      ✗ run {turn}: {line}; see {kept / f'{runs.tree}-{turn}'}")
    well = passes(found[0]) and not any(runs.differ for runs in found)
    if not passes(found[0]) and not found[0].differ:
        screen.line(f"   ✗ the reference has to pass: {found[0].notes[0]}")
    if as_json:
        told = [asdict(runs) | {"median": statistics.median(runs.seconds), "differ": runs.differ} for runs in found]
        click.echo(json.dumps({"exercise": number, "backend": backend, "one_core": one_core, "trees": told}, indent=1))
    sys.exit(0 if well else 1)


def passes(runs: Runs) -> bool:
    """Whether every run passed every check."""
    return all(status == "pass" for signature in runs.signatures for _, status in signature)


def _run(
    exercise: Exercise, backend: str, times: int, seed: int | None, found: Sequence[Runs], folder: Path, screen: Screen
) -> None:
    done = 0.0
    for turn in range(1, times + 1):
        for runs, tree in zip(found, (REFERENCE, START), strict=True):
            evidence = folder / f"{runs.tree}-{turn}"
            report = grade(exercise, tree, backend, turn if seed is None else seed, evidence)
            runs.add(report)
            done += report.seconds
            screen.bar(*progress(sum(len(each.seconds) for each in found), 2 * times, done))
    screen.close_bar()


def _keep(found: Sequence[Runs], folder: Path, kept: Path) -> None:
    """The evidence of those that differ, also where it was broken off, and of no earlier ones."""
    shutil.rmtree(kept, ignore_errors=True)
    for runs in found:
        for turn in runs.differ:
            shutil.copytree(folder / f"{runs.tree}-{turn}", kept / f"{runs.tree}-{turn}")


def _pin() -> None:
    """Ourselves, and so all that we start."""
    if not hasattr(os, "sched_setaffinity"):
        why = "this system can't bind a process to a core"
        raise Problem("cannot pin to one core", why, "Leave --one-core out.")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
