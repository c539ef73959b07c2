"""Figures and their verdicts. Pure: no bench is here, and nothing is measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FEWEST_FOR_P95 = 100


class Invalid(Exception):
    """The measurement is worth nothing: no samples, errors among the answers, or settings that cheat."""


@dataclass(frozen=True)
class Bound:
    """A floor (`least`) or a ceiling (`most`), in the unit of its figure; `shown` judges nothing.

    `every`: it is kept by each round, not only by their median.
    """

    side: Literal["least", "most", "shown"]
    limit: float = 0.0
    every: bool = False

    def holds(self, value: float) -> bool:
        """At the limit itself it holds."""
        if self.side == "shown":
            return True
        return value >= self.limit if self.side == "least" else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value for each round, and the bound for their median, or for every one of them.

    `unit`: × (system divided by baseline, of one round), s, ms or MB. `system` and `baseline` are for people.
    Raises Invalid where there is no value, or one that can't be.
    """

    bench: str
    what: str
    unit: Literal["×", "s", "ms", "MB"]
    rounds: Sequence[float]
    bound: Bound
    system: str = ""
    baseline: str = ""

    def __post_init__(self) -> None:
        if not self.rounds:
            raise Invalid(f"{self.bench}: {self.what}: nothing was measured")
        for value in self.rounds:
            if not math.isfinite(value) or value < 0 or (value == 0 and self.unit == "×"):
                raise Invalid(f"{self.bench}: {self.what}: {value} {self.unit} can't be")

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def interval(self) -> tuple[float, float]:
        """The lowest and the highest round: with so few, anything narrower would be a guess."""
        return min(self.rounds), max(self.rounds)

    @property
    def judged(self) -> float:
        """What the bound is about: the median, or the worst round."""
        if not self.bound.every:
            return self.median
        return min(self.rounds) if self.bound.side == "least" else max(self.rounds)

    @property
    def held(self) -> bool:
        return self.bound.holds(self.judged)

    @property
    def doubtful(self) -> bool:
        """Whether single rounds disagree with the verdict."""
        return not self.bound.every and any(self.bound.holds(value) != self.held for value in self.rounds)

    @property
    def missed_by(self) -> float:
        """How far it is on the wrong side, as a part of the limit: 0.1 is a tenth. 0 where it held."""
        return 0.0 if self.held else abs(self.judged - self.bound.limit) / self.bound.limit


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` (0 to 1) of the values do not exceed. Raises Invalid where too few."""
    if len(values) < FEWEST_FOR_P95:
        raise Invalid(f"{len(values)} samples are too few for a percentile; {FEWEST_FOR_P95} are the least")
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """System divided by baseline, round by round. Raises Invalid for a baseline that did nothing."""
    if any(baseline <= 0 for _, baseline in pairs):
        raise Invalid("a baseline measured nothing")
    return [system / baseline for system, baseline in pairs]


def middle(values: Sequence[float]) -> float:
    """The median of one side over the rounds, to show."""
    return statistics.median(values)
