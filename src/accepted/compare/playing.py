"""A comparison from its words on the command line to what it found: round after round, each run kept as it ends."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from accepted.compare.judged import judged
from accepted.compare.measured import Bench, measure
from accepted.compare.page import write_page
from accepted.compare.plan import Parts, Plan, clock, time_left
from accepted.compare.record import FOUND, PAGE, Record, unfinished
from accepted.compare.systems import systems
from accepted.compare.table import lines
from accepted.load import scenario as scenarios
from accepted.load import slo
from accepted.load.bundle import write
from accepted.load.selftest import PLANTED, self_test
from accepted.stack.logs import wants_colour
from accepted.stack.state import root

UNFINISHED = 130  # exit status
GUESS = 75.0  # s a run, before one was seen
ATTEMPTS = 2  # of a run that is worth nothing


def plan(names: Sequence[str], rounds: int, scenario: str, long: bool, seed: int, parts: Parts) -> Plan:
    """Raises Problem for a system or a scenario that there is not."""
    wanted = scenarios.load(root() / "loadtests", scenario, long)
    return Plan(tuple(systems(names, root(), os.environ)), wanted, rounds, seed, parts)


def play(wanted: Plan, results: Path, fresh: bool, minutes: float | None, as_json: bool) -> int:
    """Goes on where it was, prints what it found, and returns the exit status."""
    past = None if fresh else unfinished(results.glob("*"), wanted)
    folder = past or results / f"{time.strftime('%Y%m%d-%H%M%S')}-{wanted.scenario.name}"
    record = Record(folder, wanted)
    whole = _rounds(record, minutes)
    found = judged(wanted, record.last())
    write(folder, FOUND, found)
    write_page(folder, found)
    if as_json:
        click.echo(json.dumps({**found, "bundle": str(folder), "whole": whole}, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(["", *lines(found, wants_colour(sys.stdout)), f"Report: {folder / PAGE}"]))
    return int(found["code"]) if whole else UNFINISHED


def _rounds(record: Record, minutes: float | None) -> bool:
    """Plays what is left, and says how it goes; whether nothing is left."""
    plan, began = record.plan, time.monotonic()
    left = plan.left({(each.round, each.system) for each in record.last()})
    took = [each.seconds for each in record.results]
    if took:
        _say(f"going on in {record.folder}: {len(took)} runs are there, {len(left)} are left")
    if not left:
        return True
    objectives, _ = slo.of(plan.scenario, root() / "loadtests")
    missed: Sequence[str] = ()
    if plan.parts != "layer":
        _say(PLANTED)
        missed = self_test().missed
    bench = Bench(plan, objectives, record.folder, missed, quiet=not sys.stderr.isatty())
    for place, (number, system) in enumerate(left):
        if minutes is not None and time.monotonic() - began > 60 * minutes:
            _say(f"{minutes:g} minutes are over; the same command goes on from here")
            return False
        rest = clock(time_left(took, len(left) - place, GUESS))
        _say(f"round {number} of {plan.rounds}, {system.name}: about {rest} left")
        for attempt in range(1, ATTEMPTS + 1):
            result = measure(bench, number, system, attempt)
            took.append(result.seconds)
            if not result.invalid or attempt == ATTEMPTS:
                break
            _say(f"  worth nothing, once more: {'; '.join(result.invalid)}")
        record.add(result)
        if result.invalid:
            _say(f"  not counted: {'; '.join(result.invalid)}")
    return True


def _say(line: str) -> None:
    click.echo(line, err=True)
