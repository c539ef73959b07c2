"""A search for the least workers: each answer a load run, each run kept as it ends."""

import json
import sys
import time
from pathlib import Path

import click

from accepted.demand.measured import measure
from accepted.demand.page import write_page
from accepted.demand.prices import Prices
from accepted.demand.record import FOUND, PAGE, Plan, Record, unfinished
from accepted.demand.search import curve
from accepted.demand.table import as_dict, lines
from accepted.load import slo
from accepted.load.bundle import write
from accepted.load.selftest import PLANTED, self_test
from accepted.stack.state import root


def run(plan: Plan, costs: Prices, results: Path, fresh: bool, as_json: bool) -> int:
    """Goes on where it was, prints what it found, and returns the exit status."""
    past = None if fresh else unfinished(results.glob("*"), plan)
    record = Record(past or results / f"{time.strftime('%Y%m%d-%H%M%S')}-{plan.backend}", plan)
    if record.points:
        click.echo(f"going on in {record.folder}: {len(record.points)} runs are there", err=True)
    found = as_dict(plan, curve(list(plan.loads), plan.most, _Asked(record).holds), record.points, costs)
    write(record.folder, FOUND, found)
    write_page(record.folder, found)
    if as_json:
        click.echo(json.dumps({**found, "bundle": str(record.folder)}, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(["", *lines(found), f"Report: {record.folder / PAGE}"]))
    return int(found["code"])


class _Asked:
    """Answers by a run, or by one that was made before."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._missed: list[str] | None = None

    def holds(self, load: float, workers: int) -> bool:
        known = self.record.get(load, workers)
        if known is None:
            if self._missed is None:
                click.echo(PLANTED, err=True)
                self._missed = list(self_test().missed)
            plan = self.record.plan
            objectives, _ = slo.of(plan.scenario, root() / "loadtests")
            known = measure(plan, objectives, self.record.folder, load, workers, self._missed, not sys.stderr.isatty())
            self.record.add(known)
        said = "held" if known.held else f"broke: {', '.join(known.broken)}"
        click.echo(f"{load:g}/s with {workers} worker{'s' * (workers != 1)}: {said}; {self._left(load)}", err=True)
        return known.held

    def _left(self, load: float) -> str:
        """At most: every load that is left may take a whole bisection."""
        plan = self.record.plan
        each = 1 + (plan.most - 1).bit_length()
        asked = sum(one.load == load for one in self.record.points)
        runs = sum(one > load for one in plan.loads) * each + max(0, each - asked)
        took = [one.seconds for one in self.record.points]
        return f"at most {runs} runs, {runs * sum(took) / len(took) / 60:.0f} min, are left"
