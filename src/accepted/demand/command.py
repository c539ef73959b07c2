"""`accepted demand`: the least workers that hold the SLO at each load, and what a million jobs cost then."""

import os
import sys
from pathlib import Path

import click

from accepted.load.command import require_extra
from accepted.stack.environment import CHOICES, settle
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

STOPPED = 130


@click.command()
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True, help=", ".join(CHOICES))
@click.option("--tree", help="Folder of the app.  [default: TREE, else solutions]")
@click.option("--loads", default="4,8,16", show_default=True, help="Arrivals a second.")
@click.option(
    "--most", type=click.IntRange(1, 99), default=8, show_default=True, help="Workers that are tried at most."
)
@click.option("--scenario", default="demand", show_default=True, help="Of loadtests/scenarios, or a file.")
@click.option("--long", is_flag=True, help="The scenario's long form, for a machine of its own.")
@click.option("--prices", type=click.Path(path_type=Path), help="A price file.  [default: loadtests/prices.yaml]")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the arrivals.")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever is unfinished.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, and nothing else.")
@click.option("--results", type=click.Path(path_type=Path), help="Where it goes.  [default: results/demand]")
def demand(
    backend: str, tree: str | None, loads: str, most: int, scenario: str, long: bool, prices: Path | None, seed: int,
    fresh: bool, as_json: bool, results: Path | None,
) -> None:  # fmt: skip
    """Find the least workers that hold the SLO at each load, by bisection, in runs on this machine.

    What is stopped goes on with the same command. Exit status 0: found. 97: a job was lost or doubled. 130: stopped.
    """
    require_extra()
    from accepted.demand import prices as price_files
    from accepted.demand import searching
    from accepted.demand.record import Plan
    from accepted.load import scenario as scenarios

    backend, hint = settle(backend, os.environ)
    if hint:
        click.echo(hint, err=True)
    wanted = scenarios.load(root() / "loadtests", scenario, long)
    place = prices or root() / "loadtests" / "prices.yaml"
    costs = price_files.load(place, root() / "loadtests" / "schema" / "prices.json")
    plan = Plan(backend, tree or os.environ.get("TREE", "solutions"), wanted, _loads(loads), most, seed)
    with Interrupts():
        try:
            status = searching.run(plan, costs, results or root() / "results" / "demand", fresh, as_json)
        except Interrupted:
            click.echo("\nstopped; nothing is left running. The same command goes on from here", err=True)
            status = STOPPED
    sys.exit(status)


def _loads(text: str) -> tuple[float, ...]:
    try:
        found = tuple(sorted({float(each) for each in text.split(",")}))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers, such as 4,8,16", param_hint="--loads") from None
    if found[0] <= 0:
        raise click.BadParameter("a load is more than nothing", param_hint="--loads")
    return found
