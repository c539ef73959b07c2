"""From rows to the occurrences that an SLO judges: ages, drain, histograms. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

from accepted.load.account import Account, Row
from accepted.load.knee import knee
from accepted.load.leak import growth
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


def drain(series: Sequence[tuple[float, float]], load_ended: float, limit: float, left: bool) -> float:
    """Seconds from `load_ended` until the age stays at most `limit`; infinity where anything is `left` at the end.

    Who was above it at the last look and is not left came to an end between that look and the end of the run.
    """
    if left:
        return math.inf  # what is left would have grown past any limit
    above = [at for at, age in series if age > limit and at >= load_ended]
    return above[-1] + STEP - load_ended if above else 0.0


def age_limit(objectives: Sequence[Objective]) -> float:
    """What the oldest age must stay inside for the backlog to count as gone: its tightest objective."""
    return min((each.value for each in objectives if each.metric == "oldest_age"), default=5.0)


class Figures:
    """Occurrences by metric, phase and kind.

    `samples`: once a second, `at` in seconds since the epoch. `promised`: what `steady` is held to, for the knee.
    """

    def __init__(
        self, found: Account, scenario: Scenario, objectives: Sequence[Objective], zero: float, end: float,
        samples: Sequence[Mapping[str, Any]] = (), promised: Sequence[Objective] = (),
    ) -> None:  # fmt: skip
        self.found, self.scenario, self.zero = found, scenario, zero
        self.samples, self.promised = samples, promised
        self.judged = {phase.name for phase in scenario.phases if phase.judged}
        self.series = ages(found.rows, zero, end)
        self.phases = {each.name: (start, each) for start, each in zip(scenario.starts(), scenario.phases, strict=True)}
        left = any(row.accepted and row.t_over is None for row in found.rows)
        self.drained: float | None = None
        if "drain" in self.phases:
            self.drained = drain(self.series, self.phases["drain"][0], age_limit(objectives), left)

    def values(self, metric: str, phase: str | None = None, kind: str | None = None) -> list[float]:
        """Every occurrence, in seconds or as a count. The warm-up counts for what was promised only."""
        if metric == "drain":
            return [] if self.drained is None else [self.drained]
        if metric == "growth":
            return [most for _, most in [self.grown(phase)] if most is not None]
        if metric == "knee":
            return [self._knee(name) for name in self.judged if self._is(name, phase)]
        if metric in ("lost", "stuck", "duplicated", "phantom"):
            return [float(len(getattr(self.found, metric)))]
        if metric == "oldest_age":
            return [age for at, age in self.series if self._is(self.scenario.phase_at(at).name, phase)]
        rows = [row for row in self.found.rows if self._is(row.phase, phase) and kind in (None, row.kind)]
        if metric == "refused":
            return [float(sum(not row.accepted for row in rows))]
        assert metric in TIMES, metric
        return [took for row in rows if (took := row.took(metric)) is not None]

    def grown(self, phase: str | None) -> tuple[str | None, float | None]:
        """The process that grew most in the phase (None: from the warm-up's end on), and by how many MiB a minute."""
        spans = [(start, start + each.seconds) for start, each in self.phases.values() if self._is(each.name, phase)]
        found = growth(self.samples, self.zero + min(spans)[0], self.zero + max(spans)[1]) if spans else {}
        return max(found.items(), key=lambda one: one[1], default=(None, None))

    def _knee(self, name: str) -> float:
        start, phase = self.phases[name]
        return knee([row for row in self.found.rows if row.phase == name], phase, self.zero + start, self.promised)

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
