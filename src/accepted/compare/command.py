"""`accepted compare SYSTEM SYSTEM…`: interleaved rounds on this machine, a word for each metric."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from accepted.load.command import require_extra
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

if TYPE_CHECKING:
    from accepted.compare.plan import Parts

STOPPED = 130


@click.command()
@click.argument("names", nargs=-1, metavar="SYSTEM SYSTEM…")
@click.option("--rounds", type=click.IntRange(1, 99), default=8, show_default=True, help="Each runs every system once.")
@click.option("--scenario", default="compare", show_default=True, help="Of loadtests/scenarios, or a file.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the order, and of the resampling.")
@click.option("--long", is_flag=True, help="The scenario's long form, for a machine of its own.")
@click.option("--only", type=click.Choice(["load", "layer"]), help="The load runs, or the bare library's layer.")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever is unfinished.")
@click.option("--minutes", type=float, help="Begin no run after so long; the same command goes on later.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON, and nothing else.")
@click.option("--results", type=click.Path(path_type=Path), help="Where it goes.  [default: results/compare]")
@click.option("--self-check", is_flag=True, help="Ten times A against A, and against A slowed by 20 %, on real runs.")
def compare(
    names: tuple[str, ...], rounds: int, scenario: str, seed: int, long: bool, only: "Parts | None", fresh: bool,
    minutes: float | None, as_json: bool, results: Path | None, self_check: bool,
) -> None:  # fmt: skip
    """Compare systems: rq, celery-redis, celery-rabbitmq; BACKEND@TREE for another tree, BACKEND+20% for a slowed one.

    Rounds in random order on this machine, each system on a stack of its own; then a word for each metric. A run that
    is stopped goes on with the same command.

    Exit status 0: compared. 97: a job was lost or doubled. 98: nothing may be said. 130: stopped, to be gone on with.
    """
    require_extra()
    from accepted.compare import playing, selfcheck

    with Interrupts():
        try:
            if self_check:
                status = selfcheck.self_check(names[0] if names else "rq", seed, as_json)
            else:
                plan = playing.plan(names, rounds, scenario, long, seed, only or "both")
                status = playing.play(plan, results or root() / "results" / "compare", fresh, minutes, as_json)
        except Interrupted:
            click.echo("\nstopped; nothing is left running. The same command goes on from here", err=True)
            status = STOPPED
    sys.exit(status)
