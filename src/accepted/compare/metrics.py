"""What is compared: one number of each run for each metric. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from accepted.compare.words import Direction
from accepted.load.figures import Figures
from accepted.load.scenario import Scenario
from accepted.load.slo import at_quantile

AT_ITS_END = 0.9  # of what the broker can take
LAYERS_ALIKE = 0.9  # the system at so much of the bare library's rate: the library and its broker are what is measured


@dataclass(frozen=True)
class Metric:
    """`family`: the same question at several loads; a winner is one at all of them. `load`: which, None for none.

    unit: s, ms CPU, jobs/s or × (of the bare library).
    """

    id: str
    family: str
    unit: str
    better: Direction
    load: str | None = None

    @property
    def name(self) -> str:
        """For people: `end to end p95, heavy`."""
        return self.family + (f", {self.load}" if self.load else "")


TIMES = (("accept", 0.95), ("end_to_end", 0.5), ("end_to_end", 0.95))
LAYER = (
    Metric("noops", "no-op jobs, all guarantees", "jobs/s", "higher"),
    Metric("price", "share of the bare library's rate", "×", "higher"),
)


def metrics(scenario: Scenario) -> list[Metric]:
    """Those that a run of this scenario has, in the order in which they are shown."""
    loads = [phase.name for phase in scenario.phases if phase.judged and phase.name != "drain"]
    found = [
        Metric(f"{name}.p{q * 100:g}.{load}", f"{name.replace('_', ' ')} p{q * 100:g}", "s", "lower", load)
        for name, q in TIMES
        for load in loads
    ]
    if any(phase.name == "drain" for phase in scenario.phases):
        found.append(Metric("empty", "all done after the load", "s", "lower"))
    return [*found, Metric("cpu", "CPU for a job", "ms", "lower"), *LAYER]


def loaded(scenario: Scenario, figures: Figures, samples: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The numbers of a load run, by metric id; None for one that never came to an end or was never seen."""
    found: dict[str, float | None] = {}
    for metric in metrics(scenario):
        if metric.unit == "s" and metric.load:
            name, q, _ = metric.id.split(".", 2)
            found[metric.id] = _finite(at_quantile(figures.values(name, metric.load), float(q[1:]) / 100, "lte"))
    starts = dict(zip((phase.name for phase in scenario.phases), scenario.starts(), strict=True))
    rows = figures.found.rows
    if "drain" in starts:
        ends = [row.t_over if row.t_over is not None else math.inf for row in rows if row.accepted]
        found["empty"] = _finite(max(ends, default=math.inf) - figures.zero - starts["drain"])
    over = sum(row.t_over is not None for row in rows)
    found["cpu"] = 1000 * cpu_seconds(samples) / over if over and len(samples) > 1 else None
    return found


def cpu_seconds(samples: Sequence[Mapping[str, Any]]) -> float:
    """Of all processes and servers: each sample's share of a core, for as long as it stands for."""
    return float(sum(sum(then["cpu"].values()) * (then["at"] - now["at"]) for now, then in pairwise(samples)))


def broker_share(
    scenario: Scenario, samples: Sequence[Mapping[str, Any]], zero: float, broker: str, cores: int
) -> float:
    """The broker's busiest phase, of what it can take: one core for Redis, all of them for RabbitMQ."""
    most = cores if broker == "rabbitmq" else 1
    phases: dict[str, list[float]] = {}
    for each in samples:
        phases.setdefault(scenario.phase_at(each["at"] - zero).name, []).append(each["cpu"].get(broker, 0.0))
    return max((sum(values) / len(values) for values in phases.values()), default=0.0) / most


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 6)
