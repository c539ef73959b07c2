"""Whether so many workers hold so much load: one load run on a stack of its own."""

import os
import time
from dataclasses import replace
from pathlib import Path

from accepted.demand.record import Plan, Point
from accepted.load.bundle import version
from accepted.load.figures import finite
from accepted.load.report import report
from accepted.load.run import Run, Settings
from accepted.load.scenario import Scenario
from accepted.load.slo import Objective
from accepted.load.verdict import HELD, INVALID
from accepted.stack.errors import Problem
from accepted.stack.state import root

ATTEMPTS = 2


def at(scenario: Scenario, load: float, workers: int) -> Scenario:
    """The scenario with every rate but the drain's as asked for, and so many workers in its I/O pool."""
    phases = tuple(each if each.name == "drain" else replace(each, rate=load) for each in scenario.phases)
    return replace(scenario, phases=phases, settings={**scenario.settings, "IO_SLOTS": str(workers)})


def measure(
    plan: Plan, objectives: list[Objective], folder: Path, load: float, workers: int, missed: list[str], quiet: bool
) -> Point:
    """Raises Problem where the system does not come up, and where two runs in a row were worth nothing."""
    why: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        began, machine = time.time(), os.getloadavg()[0]
        place = f"runs/{load:g}-at-{workers}" + ("" if attempt == 1 else f".{attempt}")
        (folder / place).mkdir(parents=True, exist_ok=True)
        tree = (root() / plan.tree).resolve()
        settings = Settings(tree, plan.backend, plan.seed, folder / place, quiet=quiet, missed=missed)
        ran = Run(at(plan.scenario, load, workers), objectives, settings).play()
        report(folder / place)
        why = ran.verdict.invalid
        if ran.verdict.code == INVALID:
            continue
        return Point(
            load, workers, ran.verdict.code == HELD, ran.verdict.code,
            [one.objective.what for one in ran.verdict.outcomes if not one.held],
            {one.objective.what: finite(one.found) for one in ran.verdict.outcomes},
            began, round(time.time() - began, 1), round(machine, 2), place,
            version(ran.manifest["git"]),
        )  # fmt: skip
    told = "; ".join(why)
    raise Problem(
        f"{workers} workers at {load:g}/s: two runs were worth nothing", told,
        "Let the machine come to rest; the same command goes on from here.",
    )  # fmt: skip
