"""The SLO file, in OpenSLO's shape: each objective names its phase. It judges a run; pure but for the reading.

An objective says which share (`target`) of the occurrences of a metric in its phase must be on the right side of
`value`: 95 % of the accept times at most 0.25 s is an accept p95 of at most 0.25 s.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from accepted.load.reading import documents
from accepted.load.scenario import Scenario

# name: (unit, what it is)
METRICS: Mapping[str, tuple[str, str]] = {
    "accept": ("s", "from the moment a request should have left to its answer"),
    "relay": ("s", "from that answer until the broker has the job"),
    "wait": ("s", "from there until a worker begins"),
    "end_to_end": ("s", "from the moment a request should have left until its effect is committed"),
    "oldest_age": ("s", "how long the oldest unfinished job has been accepted"),
    "drain": ("s", "from the end of the load until the oldest age stays inside its objective"),
    "growth": ("MiB/min", "by which the memory of the process that grows most surely grows"),
    "knee": ("/s", "the highest rate of a ramp up to which what `steady` is promised held"),
    "refused": ("", "requests that were not accepted"),
    "lost": ("", "accepted, and no effect"),
    "stuck": ("", "accepted, not over, and nothing moves them any more"),
    "duplicated": ("", "keys with more than one effect"),
    "phantom": ("", "effects that nobody asked for"),
}
LATENCIES = ("accept", "relay", "wait", "end_to_end")
GUARANTEES = ("lost", "duplicated", "phantom")  # broken, they are worth an exit code of their own
Op = Literal["lt", "lte", "gt", "gte"]
_HOLDS = {
    "lt": lambda found, limit: found < limit,
    "lte": lambda found, limit: found <= limit,
    "gt": lambda found, limit: found > limit,
    "gte": lambda found, limit: found >= limit,
}
_SIGN = {"lt": "<", "lte": "≤", "gt": ">", "gte": "≥"}


@dataclass(frozen=True)
class Objective:
    """`kind`: of these jobs only. `phase` None: of the whole run."""

    metric: str
    op: Op
    value: float
    target: float = 1.0
    phase: str | None = None
    kind: str | None = None

    @property
    def what(self) -> str:
        """As a person says it: `burst accept p95 (report.export)`."""
        phase = self.phase if self.phase != self.metric else ""
        words = [phase or "", self.metric.replace("_", " "), quantile_name(self.target)]
        return " ".join(word for word in words if word) + (f" ({self.kind})" if self.kind else "")

    @property
    def limit(self) -> str:
        return f"{_SIGN[self.op]} {shown(self.value, METRICS[self.metric][0])}"


@dataclass(frozen=True)
class Outcome:
    """`found` is the value at the objective's quantile; None where nothing occurred to be judged."""

    objective: Objective
    found: float | None
    occurrences: int

    @property
    def held(self) -> bool:
        if self.found is None:
            return False
        return bool(_HOLDS[self.objective.op](self.found, self.objective.value))


def quantile_name(target: float) -> str:
    return "" if target >= 1 else f"p{target * 100:g}"


def shown(value: float | None, unit: str) -> str:
    """For people: three figures and a unit that fits."""
    if value is None:
        return "never seen"
    if math.isinf(value):
        return "never"
    if unit != "s":
        return f"{value:.4g} {unit}" if unit else f"{value:g}"
    return f"{value * 1000:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def at_quantile(values: Sequence[float], target: float, op: Op) -> float | None:
    """The worst value that counts when `target` of all must hold; None for no values. Infinity is a value."""
    if not values:
        return None
    ordered = sorted(values, reverse=op in ("gt", "gte"))
    return ordered[max(0, math.ceil(target * len(ordered) - 1e-9) - 1)]


def judge(objective: Objective, values: Sequence[float]) -> Outcome:
    return Outcome(objective, at_quantile(values, objective.target, objective.op), len(values))


def load(path: Path, schema: Path) -> list[Objective]:
    """Every objective of the file. Raises Problem with the line, for a metric that is not known as well."""
    found = []
    for document in documents(path, schema):
        spec = document.data["spec"]
        source = spec["indicator"]["spec"]["thresholdMetric"]["metricSource"]["spec"]
        if source["metric"] not in METRICS:
            where = ["spec", "indicator", "spec", "thresholdMetric", "metricSource", "spec", "metric"]
            raise document.problem(f"no metric {source['metric']}", where, f"There are {', '.join(METRICS)}.")
        for each in spec["objectives"]:
            found.append(
                Objective(
                    source["metric"], each["op"], float(each["value"]), each.get("target", 1.0), each.get("phase"),
                    source.get("kind"),
                )
            )  # fmt: skip
    return found


def of(scenario: Scenario, loadtests: Path) -> tuple[list[Objective], list[Objective]]:
    """What a run of the scenario is held to, and everything that its SLO file says. Raises Problem as `load` does."""
    everything = load(loadtests / scenario.slo, loadtests / "schema" / "slo.json")
    phases, kinds = [phase.name for phase in scenario.phases], [each.kind for each in scenario.work]
    return asked(everything, phases, kinds), everything


def asked(objectives: Sequence[Objective], phases: Sequence[str], kinds: Sequence[str]) -> list[Objective]:
    """Those that a run with these phases and kinds can be held to; a file serves many scenarios."""
    return [
        each for each in objectives
        if (each.phase is None or each.phase in phases) and (each.kind is None or each.kind in kinds)
    ]  # fmt: skip


def tightest(objectives: Sequence[Objective]) -> float:
    """The shortest time that a single job is promised, in seconds; 0 where none is."""
    return min((each.value for each in objectives if each.metric in LATENCIES and each.value > 0), default=0.0)
