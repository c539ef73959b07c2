"""What one sees while a run goes on: phase, rate, accept p95, oldest age, the verdict so far."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from accepted.load.scenario import Scenario
from accepted.load.seen import UNFINISHED
from accepted.load.slo import Objective, at_quantile, shown
from accepted.stack.logs import wants_colour

RECENT = 400  # answers that the shown p95 is of


class Progress:
    """One moving line on a terminal; elsewhere a line every five seconds. `quiet` says nothing."""

    def __init__(self, scenario: Scenario, objectives: Sequence[Objective], out: TextIO | None, quiet: bool) -> None:
        self.scenario, self.objectives, self.out, self.quiet = scenario, objectives, out or sys.stderr, quiet
        self.terminal, self.colour = self.out.isatty(), wants_colour(self.out)
        self._next, self._sent, self._then, self._open = 0.0, 0, time.monotonic(), False
        self._rate = 0.0

    def say(self, text: str) -> None:
        if self.quiet:
            return
        if self._open:
            print(file=self.out)
            self._open = False
        print(text, file=self.out, flush=True)

    def show(
        self, elapsed: float, told: Mapping[str, Any], recent: Sequence[tuple[str, float]], seen: Mapping[str, Any]
    ) -> None:
        """How it stands `elapsed` seconds after zero."""
        now = time.monotonic()
        if self.quiet or now < self._next:
            return
        self._next = now + (0.5 if self.terminal else 5.0)
        sent = int(told.get("sent", 0))
        self._rate, self._sent, self._then = (sent - self._sent) / max(0.1, now - self._then), sent, now
        phase = self.scenario.phase_at(elapsed).name
        took = [seconds for name, seconds in recent[-RECENT:] if seconds >= 0 and name == phase]
        p95 = at_quantile(took, 0.95, "lte")
        age = seen.get("oldest_age")
        waiting = sum(int(seen.get(state, 0)) for state in UNFINISHED)
        over = self._verdict(phase, p95, age, float(told.get("longest", 0)))
        text = (
            f"{elapsed:5.1f} s  {phase:<8} {self._rate:5.0f}/s  accept p95 {shown(p95, 's') if took else '–':>8}  "
            f"oldest {shown(age, 's') if age is not None else '–':>8}  waiting {waiting:>5}  "
            f"refused {told.get('failed', 0):>3}  "
        )
        answered = told.get("answered") or told.get("failed")
        mark = f"over: {', '.join(over)}" if over else "so far held" if answered else "no answer yet"
        if self.terminal:
            room = shutil.get_terminal_size().columns - 1
            text = (text + mark)[:room]
            if self.colour:
                text = text.replace(mark, click.style(mark, fg="red" if over else "green"))
            print(f"\r\x1b[K{text}", end="", file=self.out, flush=True)
            self._open = True
        else:
            print(text + mark, file=self.out, flush=True)

    def _verdict(self, phase: str, p95: float | None, age: float | None, longest: float) -> list[str]:
        """What is over its objective now; the verdict itself is reached from the whole run.

        `longest`: for how many seconds the first of the unanswered has waited, of whom no p95 knows yet.
        """
        now = {"accept": p95, "oldest_age": age}
        over = [
            each.metric.replace("_", " ") for each in self.objectives
            if each.phase == phase and each.kind is None and (value := now.get(each.metric)) is not None
            and value > each.value
        ]  # fmt: skip
        accept = [each.value for each in self.objectives if each.metric == "accept" and each.kind is None]
        if "accept" not in over and accept and longest > max(accept):
            over.append("accept")
        return over
