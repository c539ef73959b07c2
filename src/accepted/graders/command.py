"""`accepted graders`."""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from accepted import durable
from accepted.demo.screen import Screen
from accepted.grade.engine import Report
from accepted.grade.exercise import Exercise, find, folders
from accepted.grade.verdict import USAGE
from accepted.graders import matrix, record, transcripts
from accepted.graders.cases import Case, cases, in_turns
from accepted.graders.expected import Outcome
from accepted.graders.kept import Kept
from accepted.graders.running import Bench, side_by_side
from accepted.ladder import ROOT
from accepted.stack.environment import BACKENDS, settle
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts

PAGE, README = ROOT / "docs" / "kill-matrix.md", ROOT / "README.md"


@click.command()
@click.option("--ex", "numbers", multiple=True, type=int, help="Only this exercise; may be given several times.")
@click.option("--backend", envvar="BACKEND", type=click.Choice([*BACKENDS, "all"]), default="all", show_default=True,
              help="Only this one.")  # fmt: skip
@click.option("--only", default="", help="Only cases whose id has this in it, such as known-bad/says-200.")
@click.option("--sunny", is_flag=True, help="Play each known-bad through `accepted demo --sunny` as well.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=None,
    help="Gradings side by side.  [default: from the cores, and up to twice as many while these are idle]",
)
@click.option("--fresh", is_flag=True, help="Run also what came to an end before and has not changed since.")
@click.option("--write", is_flag=True, help="Keep what came of it in docs/kill-matrix and docs/transcripts, and write "
              "docs/kill-matrix.md.")  # fmt: skip
@click.option("--page", is_flag=True, help="Run nothing; only write docs/kill-matrix.md from what is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON, and nothing else.")
@click.option("--results", default=Path("results"), type=click.Path(path_type=Path, file_okay=False), show_default=True,
              help="Where graders.jsonl and the evidence of what went wrong go.")  # fmt: skip
def graders(
    numbers: tuple[int, ...], backend: str, only: str, sunny: bool, jobs: int | None, fresh: bool, write: bool,
    page: bool, as_json: bool, results: Path,
) -> None:  # fmt: skip
    """Grade the graders: trees of which it is known what they must come to, and whether they do.

    Exits 0 where all came to what they must, 1 where one did not, 2 where it was asked for wrongly, 3 where one could
    not be judged, twice. Broken off, it goes on from there the next time.
    """
    try:
        exercises, backends = _asked_for(numbers, backend)
    except Problem as problem:
        click.echo(f"Error: {problem.report()}", err=True)
        sys.exit(USAGE)
    screen = Screen(quiet=as_json)
    everything = [case for each in _exercises(()) for name in BACKENDS for case in cases(each, name, sunny=True)]
    if page:
        screen.line(publish(everything))
        return
    wanted = [case for each in exercises for name in backends for case in cases(each, name, sunny) if only in case.id]
    usual = side_by_side()
    bench = Bench(Kept(results / "graders.jsonl"), results / "graders", jobs or usual, most=jobs or 2 * usual)
    teller = Teller(screen, everything if write else None)
    try:
        with Interrupts():
            for case in wanted:
                needs_report = write and transcripts.is_model(case) and not transcripts.path(case).exists()
                if not fresh and not needs_report and (known := bench.known(case)):
                    teller.found[case.id] = known
                    teller.keep(case, known)
            left = in_turns([case for case in wanted if case.id not in teller.found])
            screen.line(f"{len(wanted)} cases, {len(wanted) - len(left)} known from before; {bench.jobs} side by side")
            teller.expects(len(left))
            bench.run(left, teller)
    except Interrupted:
        screen.close_bar()
        screen.line("   stopped; nothing is left running. The same command goes on from here.")
        sys.exit(130)
    score = matrix.score(wanted, teller.found)
    for line in matrix.as_text(wanted, teller.found):
        screen.line(line)
    screen.line(f"{score}")
    if write:
        screen.line(f"{publish(everything)}, {len(teller.transcripts)} transcript(s)")
    if as_json:
        outcomes = [asdict(teller.found[case.id]) | {"must": case.must} for case in wanted if case.id in teller.found]
        click.echo(json.dumps({"score": asdict(score), "said": str(score), "cases": outcomes}, indent=1))
    sys.exit(1 if score.otherwise else 3 if score.not_judged or score.run < score.wanted or not wanted else 0)


def publish(everything: Sequence[Case]) -> str:
    """Writes the page, and its score into the README; returns what it wrote. Of sunny days, those that were run."""
    kept = record.read(everything)
    cases = [case for case in everything if case.kind != "sunny" or case.id in kept]
    durable.write(PAGE, matrix.as_page(cases, kept).encode())
    durable.write(README, matrix.in_readme(README.read_text(), str(matrix.score(cases, kept))).encode())
    return f"written: {PAGE.relative_to(ROOT)}, {README.name}"


class Teller:
    """A line for each case that ends on paper, and a bar with the time that is left on a terminal.

    `everything`: all cases that there are, where what comes of them is to be kept in docs/.
    """

    def __init__(self, screen: Screen, everything: Sequence[Case] | None) -> None:
        self.screen, self.everything = screen, everything
        self.found: dict[str, Outcome] = {}
        self.transcripts: list[Path] = []
        self._number = 0
        self._took: list[float] = []
        self._began = time.monotonic()

    def expects(self, number: int) -> None:
        self._number = number
        self._began = time.monotonic()

    def keep(self, case: Case, outcome: Outcome) -> None:
        if self.everything:
            record.add(case, outcome, self.everything)

    def __call__(self, case: Case, outcome: Outcome, report: Report | None) -> None:
        if outcome.came == "not judged" and outcome.tries == 1:
            self.screen.line(f"   {matrix.MARKS[outcome.came]} {case.id}: {outcome.why}; once more at the end, alone")
            return
        self.found[case.id] = outcome
        self.keep(case, outcome)
        self._took.append(outcome.seconds)
        if report and transcripts.is_model(case) and outcome.came == "as it must" and self.everything:
            self.transcripts += filter(None, [transcripts.save(case, report)])
        if outcome.came != "as it must" or not self.screen.terminal:
            mark = matrix.MARKS[outcome.came]
            why = f"  {outcome.why}" if outcome.why else ""
            self.screen.line(f"   {mark} {case.id}: {case.must}, {outcome.seconds:.0f} s{why}")
        if self.screen.terminal:
            self.screen.bar(*progress(len(self._took), self._number, time.monotonic() - self._began))


def progress(done: int, number: int, seconds: float) -> tuple[int, str]:
    """Percent, and what there is to say of the time that is left."""
    left = seconds / done * (number - done)
    return round(100 * done / number), f"{done} of {number}, about {left // 60:.0f}:{left % 60:02.0f} left"


def _asked_for(numbers: Sequence[int], backend: str) -> tuple[list[Exercise], list[str]]:
    """Raises Problem, for a backend that is not there as well."""
    backends = list(BACKENDS) if backend == "all" else [backend]
    for name in backends:
        settle(name, os.environ)
    return _exercises(numbers), backends


def _exercises(numbers: Sequence[int]) -> list[Exercise]:
    return [find(number) for number in (numbers or folders())]
