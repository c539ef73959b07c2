"""`accepted watch`: grades the exercise again on every save. It never moves on by itself."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from accepted.check import report as reporting
from accepted.demo.screen import Screen
from accepted.grade.engine import Report
from accepted.grade.exercise import find, folders
from accepted.ladder import EXERCISES
from accepted.loop import revealing
from accepted.loop.changes import look, saved
from accepted.loop.grading import Grading
from accepted.loop.journal import graded
from accepted.loop.keys import END, Keys
from accepted.loop.options import NUMBER, directory
from accepted.loop.standing import next_of, standings
from accepted.loop.telling import onwards, table
from accepted.loop.work import Work, found, opened
from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts

GLANCE = 0.1  # s between two looks at the tree
QUIET = 0.15  # s without a save, after which a burst of them is over
LONGEST = 0.6  # s after which a burst is graded even though it goes on
LEAVING = 45.0  # s in which everything that was started has to be gone
KEYS = "h hint · n next · l list · q quit"


@click.command()
@click.argument("number", type=NUMBER, required=False)
@directory
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), help="The broker and its library (default: "
              "$BACKEND, else the one that the tree was started with).")  # fmt: skip
@click.option("--seed", envvar="SEED", default=1, show_default=True, type=int, help="Of everything that is random.")
@click.option("--results", default=Path("results"), type=click.Path(path_type=Path, file_okay=False), show_default=True,
              help="Where NN.json and the evidence go.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each grading, and nothing else.")
def watch(
    number: int | None, directory: Path, backend: str | None, seed: int, results: Path, as_json: bool
) -> None:  # fmt: skip
    """Grade an exercise on every save: NUMBER, or the first that is neither passed nor given.

    A save while it is being graded calls that off, and begins again. Keys: h shows the next hint, n goes to the next
    exercise, l lists them all, q quits. It looks at the files itself, so it works where file events don't arrive.
    """
    work = opened(directory)
    chosen, hint = settle(backend or work.backend, os.environ)
    screen = Screen(quiet=as_json)
    if hint:
        screen.line(hint)
    sys.exit(Watch(work, number, chosen, seed, results, screen, as_json).run())


class Watch:
    """`run` returns the exit code. Only its own thread prints."""

    def __init__(
        self, work: Work, number: int | None, backend: str, seed: int, results: Path, screen: Screen,
        as_json: bool = False, root: Path = EXERCISES,
    ) -> None:  # fmt: skip
        self.work, self.backend, self.seed, self.results = work, backend, seed, results
        self.screen, self.as_json, self.root = screen, as_json, root
        following = next_of(standings(work, root))
        self.number = number or (following.number if following else max(folders(root)))
        self._now: Grading | None = None
        self._called_off: list[Grading] = []
        self._due = True
        self._told: reporting.Told | None = None

    def run(self) -> int:
        try:
            with Interrupts(), Keys() as keys:
                try:
                    self._say_where(keys)
                    self._until_quit(keys)
                finally:
                    self._leave()
        except Interrupted:
            left = "what it started is still ending: the prompt is back when that is gone"
            self.screen.line(f"stopped; {left if self._called_off else 'nothing is left running'}")
            return 130
        return 0

    def _until_quit(self, keys: Keys) -> None:
        seen = look(self.work.tree)
        first = last = 0.0  # of the saves that are not graded yet
        while True:
            key = keys.read(GLANCE)
            if key in ("q", "Q", END):
                return
            self._pressed(key.lower())
            now, at = look(self.work.tree), time.monotonic()
            if changed := saved(seen, now):
                self._call_off()
                self.screen.line(f"\nsaved: {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}")
                seen, first, last = now, first or at, at
            if first and (at - last >= QUIET or at - first >= LONGEST):
                first, self._due = 0.0, True
            self._begin()
            self._hear()

    def _begin(self) -> None:
        """While one runs, at most one that was called off before it is still leaving: the machine is the learner's."""
        self._called_off = [one for one in self._called_off if not one.ended()]
        if not self._due or len(self._called_off) > 1:
            return
        self._due = False
        try:
            exercise = find(self.number, self.root)
        except Problem as problem:
            self.screen.line(problem.report())
            return
        self.work = found(self.work.tree) or self.work  # a catch-up in another terminal changes what is given
        self.screen.line(self.screen.style(exercise.title, bold=True) + f"   {self.work.tree}, {self.backend}")
        self._told = reporting.Told(self.screen, max(map(len, exercise.toml.checks)))
        self._now = Grading(exercise, self.work, self.backend, self.seed, self.results)

    def _hear(self) -> None:
        while self._now is not None and not self._now.news.empty():
            news = self._now.news.get()
            if isinstance(news, Report):
                self._over(news)
            elif isinstance(news, Problem):
                self.screen.line(f"   {news.report()}\n   {KEYS}")
                self._now = None
            elif self._told is not None:
                self._told(news)

    def _over(self, report: Report) -> None:
        self._now = None
        try:
            graded(self.work, report)
        except Problem as problem:
            self.screen.line(f"   {problem.report()}")
        if self.as_json:
            click.echo(json.dumps(asdict(report)))
        file = self.results / f"{report.exercise:02}.json"
        on = [] if report.verdict == "fail" else onwards(self.work, report.exercise, report.verdict, self.root)
        for line in [*reporting.closing(report, file), *on, KEYS]:
            self.screen.line(f"   {line}")

    def _pressed(self, key: str) -> None:
        try:
            self._do(key)
        except Problem as problem:
            self.screen.line(problem.report())

    def _do(self, key: str) -> None:
        if key == "h":
            level, levels, text = revealing.reveal(self.number, None, self.work, self.root)
            self.screen.line(f"\n{text}\n\n(hint {level} of {levels})")
        elif key == "l":
            for line in table(standings(self.work, self.root)):
                self.screen.line(line)
        elif key == "n":
            self._go_on()

    def _go_on(self) -> None:
        above = [number for number in folders(self.root) if number > self.number]
        if not above:
            self.screen.line(f"exercise {self.number} is the last one")
            return
        self._call_off()
        self.number, self._due = above[0], True

    def _call_off(self) -> None:
        if self._now is not None:
            self._now.call_off()
            self._called_off.append(self._now)
            self._now = None

    def _leave(self) -> None:
        self._call_off()
        deadline = time.monotonic() + LEAVING
        while self._called_off and time.monotonic() < deadline:
            self._called_off = [one for one in self._called_off if not one.ended(0.05)]

    def _say_where(self, keys: Keys) -> None:
        how = KEYS if keys.terminal else "Ctrl-C ends it"
        self.screen.line(f"Watching {self.work.tree}. Save a file, and it is graded again.   {how}")
