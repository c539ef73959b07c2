"""What one burst of report requests came to on one rung. Pure.

A tree that answers with the finished work, or makes it before it answers, has accepted it and done it at once: its
waiting client shows in the p95 of the answer, and the export counts from the same intended moment as everybody's.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accepted.load.account import Row
from accepted.load.slo import at_quantile, shown

KIND, PHASE = "report.export", "burst"
SOON = 30.0  # s from the intended moment


@dataclass(frozen=True)
class Step:
    """`asked`: reports in the burst. `answer`: the p95 of their POSTs from the intended moment, in seconds, infinite
    where more than one in twenty had no 2xx. `soon`: exports that were there within SOON; `ever`: at all. `patience`:
    how many seconds a client waited for its answer."""

    asked: int
    answer: float
    soon: int
    ever: int
    patience: float = math.inf

    @property
    def waited(self) -> float:
        """The p95 of the waiting: who had no answer waited at least as long as its patience lasted."""
        return min(self.answer, self.patience)

    @property
    def gave_up(self) -> bool:
        """Whether the p95 is of clients that had no answer: all that is known is how long they waited at least."""
        return self.waited < self.answer

    @property
    def said(self) -> str:
        """The p95, as a person reads it."""
        return f"over {shown(self.waited, 's')}" if self.gave_up else shown(self.answer, "s")


def step(rows: Iterable[Row], patience: float = math.inf) -> Step:
    """From a run's events, and how many seconds its clients waited for an answer."""
    asked = [row for row in rows if row.kind == KIND and row.phase == PHASE]
    answers = [took for row in asked if (took := row.took("accept")) is not None]
    done = [row.t_done - row.t_int for row in asked if row.t_done is not None]
    p95 = at_quantile(answers, 0.95, "lte")
    answer = math.inf if p95 is None else p95
    return Step(len(asked), answer, sum(each <= SOON for each in done), len(done), patience)


@dataclass(frozen=True)
class Ratios:
    """Between the first app and the reference: how often quicker the answer is, how many times as many exports were
    there soon, and ever. Infinite where the first app had none; of an answer that never came, at least."""

    answer: float
    soon: float
    ever: float


def ratios(first: Step, last: Step) -> Ratios:
    return Ratios(_over(first.waited, last.waited), _over(last.soon, first.soon), _over(last.ever, first.ever))


def _over(a: float, b: float) -> float:
    if b == 0:
        return math.inf if a else math.nan
    return math.nan if math.isinf(b) else a / b


def caption(steps: Mapping[str, Step], seed: int, backend: str) -> str:
    """A paragraph under the chart: the numbers of that run."""
    names = list(steps)
    first, last = steps[names[0]], steps[names[-1]]
    found = ratios(first, last)
    return (
        f"{first.asked} reports asked for within five seconds, on {backend}, seed {seed}. p95 of `POST /v1/reports`: "
        f"{first.said} on the first app, {last.said} on the reference, {times(found.answer)}"
        f"{' at least' if first.gave_up else ''}. Exports there within {SOON:.0f} s: {first.soon} and "
        f"{last.soon}, {times(found.soon)}. There in the end: {first.ever} and {last.ever}, {times(found.ever)}."
    )


def times(ratio: float) -> str:
    """`a factor of 4,170`; words where there is no number."""
    if math.isnan(ratio):
        return "no ratio"
    if math.isinf(ratio):
        return "from none to some"
    return f"a factor of {ratio:,.0f}" if ratio >= 100 else f"a factor of {ratio:.3g}"
