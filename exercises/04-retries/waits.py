"""The waits between attempts of many jobs, as a distribution. Pure: calls of a ledger in, figures out.

What is seen is the wait that was drawn and the time until a worker is free. That lag is never judged: probes measure
it, it is taken off, or two shares or two ends of one distribution are compared, in both of which it is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, pvariance
from typing import Any

from probes import Lag

BASE, CAP, ATTEMPTS = 1.0, 4.0, 5  # as exercise.toml sets them: s, s, runs
FEWEST = 20  # waits to judge by
FAR = 1.5  # s above the cap, which no wait should be, and hardly a lag is


def ceiling(attempt: int) -> float:
    """Seconds: the longest wait after that attempt."""
    doubled: float = BASE * 2 ** (attempt - 1)
    return min(CAP, doubled)


@dataclass(frozen=True)
class Waits:
    """`after`: seconds, by the attempt that they followed. `lags`: seconds that probes took while the late waits ran,
    in order."""

    after: Mapping[int, Sequence[float]]
    lags: Sequence[float]

    @property
    def late(self) -> list[float]:
        """Those that have reached the cap: after the third attempt and the fourth."""
        return sorted(one for attempt in (3, 4) for one in self.after.get(attempt, []))

    @property
    def mean(self) -> float:
        """Seconds that the late waits take on average."""
        return fmean(self.late)

    @property
    def lag(self) -> float:
        """Seconds that most probes took at most: a herd that comes back at once holds up the others only."""
        return quantile(self.lags, 0.75)

    @property
    def worst(self) -> float:
        """Seconds that the slowest probe took."""
        return quantile(self.lags, 1)

    @property
    def spread(self) -> float:
        """Standard deviation of the late waits, s. A uniform draw from 0 to 4 has 1.15, also where it is rounded to
        seconds; one from 2 to 4 has 0.58; a lag that is always there does not change it."""
        return math.sqrt(variance(self.after))

    def drawn(self, in_line: Mapping[int, Sequence[float]]) -> float:
        """The same without what a herd adds that stands in line for a worker, for so many seconds each, by the attempt
        before: variances add up."""
        return math.sqrt(max(0.0, variance(self.after) - variance(in_line)))

    def grown(self, most: float) -> float:
        """Seconds that the late waits take on average, besides the lag as probes tell it or as the least of them does:
        what comes due passes a scheduler, and probes do not. At most so many seconds pass for lag."""
        return self.mean - min(most, max(self.lag, quantile(self.late, 0.05)))

    @property
    def gained(self) -> float:
        """Seconds that the late waits take more than the first ones, on average. In both there is the lag, and what a
        clock of whole seconds adds to short waits, which is more than the lag."""
        return self.mean - fmean(self.after.get(1) or [self.mean])

    def beyond(self, attempt: int) -> float:
        """The share of the waits after that attempt that are far longer than the cap."""
        found = self.after.get(attempt, [])
        return sum(one > CAP + FAR for one in found) / max(1, len(found))

    def figures(self) -> list[str]:
        """A line for each attempt."""
        lines = []
        for attempt, found in sorted(self.after.items()):
            if not found:
                continue
            few = ", ".join(f"{quantile(sorted(found), part):.2f}" for part in (0, 0.1, 0.5, 0.9, 1))
            lines.append(
                f"after attempt {attempt}: {len(found)} waits, mean {fmean(found):.2f} s;"
                f" least, 10 %, half, 90 %, longest: {few} s; ceiling {ceiling(attempt):g} s"
            )
        return lines


def waits(calls: Mapping[str, Sequence[Mapping[str, Any]]], probed: Sequence[Lag]) -> Waits:
    """Of calls by key, each key's in their order."""
    found: dict[int, list[float]] = {attempt: [] for attempt in range(1, ATTEMPTS)}
    for each in calls.values():
        for attempt, (before, call) in enumerate(pairwise(each), 1):
            if attempt in found and "ended" in before:
                found[attempt].append(call["at"] - before["ended"])
    began = min((each[2]["at"] for each in calls.values() if len(each) > 2), default=0.0)
    return Waits(found, sorted(one.seconds for one in probed if one.at >= began - 1))


def variance(after: Mapping[int, Sequence[float]]) -> float:
    """Of the late ones, s², from the mean of those after the same attempt: a machine that stalls for one of the two
    spreads nothing."""
    late = [found for attempt in (3, 4) if (found := after.get(attempt))]
    return sum(len(found) * pvariance(found) for found in late) / max(1, sum(map(len, late)))


def quantile(ordered: Sequence[float], part: float) -> float:
    """Of values in order; 0 of none."""
    return ordered[round(part * (len(ordered) - 1))] if ordered else 0.0
