"""`accepted bench`: what the guarantees cost, side by side with bare versions, each figure beside its bound."""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from accepted.bench import table
from accepted.bench.effective import machine
from accepted.bench.measure import Figure, Invalid
from accepted.bench.room import Room
from accepted.load.command import require_extra
from accepted.stack.environment import CHOICES, settle
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

# A bench is a module with `run(room) -> (figures, effective settings)`; its docstring says what is counted.
USUAL = ("accept", "relay", "noops", "recovery", "export", "streams")
OF_LOAD = ("pacer", "judge")  # of the load generator, which is an extra; only by name
BENCHES = {name: f"accepted.bench.{name}" for name in (*USUAL, *OF_LOAD)}
FELL, INVALID, STOPPED = 1, 98, 130  # exit statuses


@dataclass
class Outcome:
    """What a whole run found."""

    figures: list[Figure] = field(default_factory=list)
    settings: dict[str, Mapping[str, str]] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 where every bound held; FELL where one did not; INVALID where something could not be measured."""
        if any(not figure.held for figure in self.figures):
            return FELL
        return INVALID if self.invalid or not self.figures else 0


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--rounds", type=click.IntRange(1, 99), default=3, show_default=True, help="Both sides run in each.")
@click.option("--quick", is_flag=True, help="One short round of each: shows that it runs, proves nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was measured as JSON.")
@click.option("--tree", type=click.Path(path_type=Path), help="Folder of the app.  [default: TREE, else solutions]")
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True, help=", ".join(CHOICES))
def bench(names: tuple[str, ...], rounds: int, quick: bool, as_json: bool, tree: Path | None, backend: str) -> None:
    """Measure the system beside bare versions of the same work: accept, relay, noops, recovery, export, streams (or
    those named). By name only, of the load generator itself: pacer, judge.

    Exit status 1 where a figure is on the wrong side of its bound, 98 where something could not be measured.
    """
    if unknown := [name for name in names if name not in BENCHES]:
        raise click.BadParameter(f"there is no bench {unknown[0]}; there are {', '.join(BENCHES)}", param_hint="NAME")
    if any(name in OF_LOAD for name in names):
        require_extra()
    backend, hint = settle(backend, os.environ)
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=as_json)

    if hint:
        say(hint)
    room = Room(tree or root() / os.environ.get("TREE", "solutions"), backend, 1 if quick else rounds, quick, say)
    outcome = Outcome(settings={"machine": {"backend": backend, **machine()}})
    status = measure(names or USUAL, room, outcome)
    show(outcome, quick, as_json, time.monotonic() - began)
    sys.exit(status)


def measure(names: Sequence[str], room: Room, outcome: Outcome) -> int:
    """Runs the benches one after another; what one could not measure does not keep the others from it."""
    cores, before = float(outcome.settings["machine"]["cores"]), float(outcome.settings["machine"]["load before"])
    if before > cores / 2:
        room.say(f"the machine is not quiet (load {before:.1f} on {cores:.0f} cores): single rounds will differ")
    with Interrupts():
        try:
            for name in names:
                run: Callable[[Room], Any] = importlib.import_module(BENCHES[name]).run
                try:
                    figures, outcome.settings[name] = run(room)
                    outcome.figures += figures
                except Invalid as invalid:
                    why = str(invalid).removeprefix(f"{name}: ")
                    outcome.invalid.append(f"{name}: {why}")
                    room.say(f"{name}: invalid: {why}")
        except Interrupted:
            room.say("stopped; nothing is left running")
            return STOPPED
    return outcome.status


def show(outcome: Outcome, quick: bool, as_json: bool, seconds: float) -> None:
    """The table, the settings, and what fell."""
    if as_json:
        figures = [table.as_dict(figure) for figure in outcome.figures]
        found = {"figures": figures, "settings": outcome.settings, "invalid": outcome.invalid, "quick": quick}
        click.echo(json.dumps({**found, "seconds": round(seconds, 1)}, indent=2, ensure_ascii=False))
        return
    click.echo()
    for line in table.lines(outcome.figures) if outcome.figures else ["Nothing was measured."]:
        click.echo(line)
    click.echo()
    for line in table.settings_lines(outcome.settings):
        click.echo(line)
    if quick:
        click.echo("A quick run: one short round of each, which proves nothing.")
    for line in (*table.fallen(outcome.figures), *(f"Not measured: {each}." for each in outcome.invalid)):
        click.echo(line, err=True)
