"""`accepted before-after`: the same burst on every rung of the ladder, and one chart of them all."""

import os
import sys

import click

from accepted.load.command import require_extra
from accepted.notebooks.command import require
from accepted.stack.environment import CHOICES, settle
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

STOPPED = 130


@click.command()
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True, help=", ".join(CHOICES))
@click.option("--scenario", default="year-end", show_default=True, help="A burst of reports.")
@click.option("--seed", type=int, help="Of the arrivals.  [default: the scenario's own]")
@click.option("--rung", "only", type=int, multiple=True, help="Only these: 0 is the first app.  [default: all]")
@click.option("--resume", is_flag=True, help="Go on with the newest climb: runs that it has are kept.")
@click.option("--draw", is_flag=True, help="Run nothing: only draw the newest climb again.")
@click.option("--publish", is_flag=True, help="Put chart and runs where the README and the notebooks look for them.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, and nothing else.")
def before_after(
    backend: str, scenario: str, seed: int | None, only: tuple[int, ...], resume: bool, draw: bool, publish: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Run the same burst on the app that everyone ships first, on each rung of the ladder, and on the reference.

    About a minute a rung, all on this machine, one after the other. Chart, caption and bundles go to
    results/before-after. How an answer that is the finished work itself counts: docs/load.md.

    Exit status 0: it is drawn. 1: a run could not be had. 130: interrupted; `--resume` goes on.
    """
    require_extra()
    require()
    from accepted.ascent import climbing, telling

    backend, _ = settle(backend, os.environ)
    ladder = climbing.ladder()
    wanted = [each for each in ladder if not only or each.done in (*only, 0, ladder[-1].done)]
    before = climbing.newest(root()) if resume or draw else None
    folder = before or climbing.begin(root(), backend)
    with Interrupts():
        try:
            if not draw:
                climbing.climb(folder, scenario, backend, seed, lambda line: click.echo(line, err=True), wanted)
        except Interrupted:
            click.echo("\nstopped; nothing is left running. The same with --resume goes on from here.", err=True)
            sys.exit(STOPPED)
    telling.tell(folder, backend, publish, as_json)
