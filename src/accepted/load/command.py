"""`accepted load SCENARIO`: a run judged by the SLO file, whose verdict is the exit status."""

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem
from accepted.stack.state import root
from accepted.stack.up import Interrupted, Interrupts

if TYPE_CHECKING:
    from accepted.load.scenario import Scenario
    from accepted.load.slo import Objective

STOPPED = 130


@click.command()
@click.argument("name", metavar="SCENARIO")
@click.option("--tree", type=click.Path(path_type=Path), help="Folder of the app.  [default: TREE, else solutions]")
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True, help=", ".join(CHOICES))
@click.option("--seed", type=int, help="Of the arrivals.  [default: the scenario's own]")
@click.option("--json", "as_json", is_flag=True, help="Print verdict and summary as JSON, and nothing else.")
@click.option("--results", type=click.Path(path_type=Path), help="Where bundles go.  [default: results/load]")
@click.option("--long", is_flag=True, help="The scenario's long form, for a machine of its own.")
def load(
    name: str, tree: Path | None, backend: str, seed: int | None, as_json: bool, results: Path | None, long: bool
) -> None:
    """Load a tree by the clock, account for every job, and judge it by the SLO file.

    SCENARIO is a name of loadtests/scenarios, or a file; `accepted load list` lists them.

    Exit status 0: the SLO held. 99: an objective is broken. 97: a job was lost or doubled. 98: the run is worth
    nothing, and says why. 130: interrupted.
    """
    require_extra()
    from accepted.load import scenario as scenarios
    from accepted.load import slo

    folder = root() / "loadtests"
    if name == "list":
        for each in scenarios.names(folder):
            click.echo(f"{each:<16} {scenarios.load(folder, each).title}")
        return
    wanted = scenarios.load(folder, name, long)
    kinds = [each.kind for each in wanted.work]
    everything = slo.load(folder / wanted.slo, folder / "schema" / "slo.json")
    objectives = slo.asked(everything, [phase.name for phase in wanted.phases], kinds)
    backend, hint = settle(backend, os.environ)
    with Interrupts():
        try:
            status = measured(wanted, objectives, tree, backend, seed, as_json, results, hint)
        except Interrupted:
            click.echo("\nstopped; nothing is left running, and nothing was judged", err=True)
            status = STOPPED
    sys.exit(status)


def measured(
    wanted: "Scenario", objectives: "list[Objective]", tree: Path | None, backend: str,
    seed: int | None, as_json: bool, results: Path | None, hint: str | None,
) -> int:  # fmt: skip
    from accepted.load.report import report
    from accepted.load.run import Run, Settings
    from accepted.load.selftest import self_test
    from accepted.load.summary import lines, summary

    here = (tree or root() / os.environ.get("TREE", "solutions")).resolve()
    number = wanted.seed if seed is None else seed
    folder = (results or root() / "results" / "load") / f"{time.strftime('%Y%m%d-%H%M%S')}-{wanted.name}-{backend}"
    settings = Settings(here, backend, number, folder, sys.stderr, as_json)
    run = Run(wanted, objectives, settings)
    run.progress.say(f"{wanted.name}: {wanted.title}; {wanted.seconds:.0f} s at most, seed {number}")
    if hint:
        run.progress.say(hint)
    run.progress.say("self-test: a stall of 2 s, 3 losses and 2 doubles are planted …")
    settings.missed = list(self_test().missed)
    for each in settings.missed:
        run.progress.say(f"  missed: {each}")
    folder.mkdir(parents=True, exist_ok=True)
    ran = run.play()
    page = report(folder)
    run.progress.say("")
    if as_json:
        click.echo(json.dumps({**ran.verdict.as_dict(), "summary": summary(ran), "bundle": str(folder)}, indent=1))
    else:
        for line in lines(ran):
            click.echo(line)
        click.echo(f"Report: {page}")
    return ran.verdict.code


def require_extra() -> None:
    """A Problem where the client and the histograms are not installed."""
    missing = [name for name in ("locust", "hdrh", "yaml", "jsonschema") if find_spec(name) is None]
    if missing:
        why = f"{', '.join(missing)} is not installed"
        raise Problem("load tests need their extra", why, "Install it with: make .venv/.ready-dev")
