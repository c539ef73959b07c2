"""From rows to the occurrences that an SLO judges: ages, drain, histograms. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence

from hdrh.histogram import HdrHistogram

from accepted.load.account import Account, Row
from accepted.load.scenario import Scenario
from accepted.load.slo import Objective, at_quantile

STEP = 0.25  # s between two looks at the oldest age
LONGEST_US = 86_400_000_000  # a day: more than any run, so that a histogram never cuts one off
TIMES = ("accept", "relay", "wait", "end_to_end")
QUANTILES = (0.5, 0.95, 0.99, 1.0)


def ages(rows: Iterable[Row], zero: float, end: float) -> list[tuple[float, float]]:
    """(seconds since zero, age of the oldest job accepted and not over; 0 where there is none), every STEP."""
    spans = sorted((row.t_acc, math.inf if row.t_over is None else row.t_over) for row in rows if row.t_acc is not None)
    found: list[tuple[float, float]] = []
    open_spans: list[tuple[float, float]] = []
    place, moment = 0, zero
    while moment <= end:
        while place < len(spans) and spans[place][0] <= moment:
            open_spans.append(spans[place])
            place += 1
        open_spans = [span for span in open_spans if span[1] > moment]
        found.append((moment - zero, moment - open_spans[0][0] if open_spans else 0.0))
        moment += STEP
    return found


def drain(series: Sequence[tuple[float, float]], load_ended: float, limit: float) -> float:
    """Seconds from `load_ended` until the age stays at most `limit`; infinity where it did not before the end."""
    above = [at for at, age in series if age > limit and at >= load_ended]
    if not above:
        return 0.0
    if above[-1] >= series[-1][0]:
        return math.inf
    return above[-1] + STEP - load_ended


def age_limit(objectives: Sequence[Objective]) -> float:
    """What the oldest age must stay inside for the backlog to count as gone: its tightest objective."""
    return min((each.value for each in objectives if each.metric == "oldest_age"), default=5.0)


class Figures:
    """Occurrences by metric, phase and kind."""

    def __init__(
        self, found: Account, scenario: Scenario, objectives: Sequence[Objective], zero: float, end: float
    ) -> None:
        self.found, self.scenario, self.zero = found, scenario, zero
        self.judged = {phase.name for phase in scenario.phases if phase.judged}
        self.series = ages(found.rows, zero, end)
        starts = dict(zip((phase.name for phase in scenario.phases), scenario.starts(), strict=True))
        self.drained = drain(self.series, starts["drain"], age_limit(objectives)) if "drain" in starts else None
        if self.drained is not None and any(row.accepted and row.t_over is None for row in found.rows):
            self.drained = math.inf  # what is left would have grown past any limit

    def values(self, metric: str, phase: str | None = None, kind: str | None = None) -> list[float]:
        """Every occurrence, in seconds or as a count. The warm-up counts for what was promised only."""
        if metric == "drain":
            return [] if self.drained is None else [self.drained]
        if metric in ("lost", "stuck", "duplicated", "phantom"):
            return [float(len(getattr(self.found, metric)))]
        if metric == "oldest_age":
            return [age for at, age in self.series if self._is(self.scenario.phase_at(at).name, phase)]
        rows = [row for row in self.found.rows if self._is(row.phase, phase) and kind in (None, row.kind)]
        if metric == "refused":
            return [float(sum(not row.accepted for row in rows))]
        assert metric in TIMES, metric
        return [took for row in rows if (took := row.took(metric)) is not None]

    def _is(self, name: str, phase: str | None) -> bool:
        return name == phase if phase is not None else name in self.judged

    def table(self) -> dict[str, dict[str, dict[str, float | int | None]]]:
        """phase → metric → count, censored, and its quantiles; None for one that never came to an end."""
        found: dict[str, dict[str, dict[str, float | int | None]]] = {}
        for phase in self.scenario.phases:
            each = found[phase.name] = {}
            for metric in (*TIMES, "oldest_age"):
                values = self.values(metric, phase.name)
                each[metric] = {
                    "count": len(values),
                    "censored": sum(map(math.isinf, values)),
                    **{f"p{q * 100:g}" if q < 1 else "max": finite(at_quantile(values, q, "lte")) for q in QUANTILES},
                }
        return found


def finite(value: float | None) -> float | None:
    """As JSON can have it: None for what never came to an end."""
    return None if value is None or math.isinf(value) else round(value, 6)


def histogram(values: Iterable[float]) -> tuple[HdrHistogram, Mapping[str, int]]:
    """In µs, three figures. What it cannot hold is counted beside it: unfinished, and before its beginning."""
    found = HdrHistogram(1, LONGEST_US, 3)
    beside = {"unfinished": 0, "below_zero": 0}
    for value in values:
        if math.isinf(value):
            beside["unfinished"] += 1
        elif value < 0:
            beside["below_zero"] += 1
        else:
            found.record_value(max(1, round(value * 1e6)))
    return found, beside
