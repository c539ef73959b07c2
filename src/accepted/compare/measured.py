"""One run of a comparison: the load run on a stack of its own, then the bare library's layer on another."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accepted.compare.layer import layer
from accepted.compare.metrics import AT_ITS_END, broker_share, loaded
from accepted.compare.plan import Plan
from accepted.compare.record import Result
from accepted.compare.slowed import Slowed
from accepted.compare.systems import System
from accepted.load.bundle import revision, version
from accepted.load.report import report
from accepted.load.run import Run, Settings
from accepted.load.slo import GUARANTEES, Objective, at_quantile
from accepted.load.summary import Ran
from accepted.load.verdict import HELD, INVALID, SATURATED, allowed_lag
from accepted.stack.state import root


@dataclass(frozen=True)
class Bench:
    """What every run of a comparison shares. missed: by the self-test. quiet: no moving line."""

    plan: Plan
    objectives: Sequence[Objective]
    folder: Path
    missed: Sequence[str]
    quiet: bool


def measure(bench: Bench, number: int, system: System, attempt: int) -> Result:
    """Raises Problem where the system does not come up."""
    began, load = time.time(), round(os.getloadavg()[0], 2)
    tree = (root() / system.tree).resolve()
    found: dict[str, Any] = {
        "code": HELD, "values": {}, "invalid": [], "generator": False, "broker": False, "promises": {}, "bundle": "",
    }  # fmt: skip
    if bench.plan.parts != "layer":
        found |= _loaded(bench, number, system, attempt, tree)
    raw: dict[str, Any] = {}
    if bench.plan.parts != "load":
        raw = layer(tree, system.backend, system.slower, number % 2 == 0)
        if why := raw.get("invalid"):
            found["invalid"] = [*found["invalid"], f"the bare library's layer: {why}"]
        else:
            found["values"] |= {"noops": raw["system"], "price": round(raw["system"] / raw["raw"], 4)}
    return Result(
        round=number, system=system.name, attempt=attempt, began=began, seconds=round(time.time() - began, 1),
        load=load, commit=version(revision(tree)), raw=raw, **found,
    )  # fmt: skip


def _loaded(bench: Bench, number: int, system: System, attempt: int, tree: Path) -> dict[str, Any]:
    """What a Result has of the load run."""
    plan = bench.plan
    place = f"runs/{number:02}-{system.name.replace(' ', '').replace('/', '-')}"
    place += "" if attempt == 1 else f".{attempt}"
    folder = bench.folder / place
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        tree, system.backend, plan.arrivals_seed(number), folder, quiet=bench.quiet, missed=list(bench.missed),
        around=partial(Slowed, slower=system.slower),
    )  # fmt: skip
    ran = Run(plan.scenario, list(bench.objectives), settings).play()
    report(folder)
    broker = "rabbitmq" if system.backend == "celery-rabbitmq" else "redis"
    share = broker_share(plan.scenario, ran.samples, ran.figures.zero, broker, os.cpu_count() or 1)
    valid = ran.verdict.code != INVALID
    return {
        "code": ran.verdict.code, "values": loaded(plan.scenario, ran.figures, ran.samples) if valid else {},
        "invalid": ran.verdict.invalid, "generator": _late(ran, bench.objectives), "broker": share > AT_ITS_END,
        "promises": {name: len(getattr(ran.account, name)) for name in GUARANTEES}, "bundle": place,
    }  # fmt: skip


def _late(ran: Ran, objectives: Sequence[Objective]) -> bool:
    """Whether the generator could not do what was asked of it: the run then measures the generator."""
    lag = at_quantile(ran.conduct.lags, 0.99, "lte")
    late = lag is None or lag > allowed_lag(objectives)
    return late or ran.conduct.busiest > SATURATED or bool(ran.conduct.dropped) or ran.conduct.died is not None
