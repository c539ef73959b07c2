"""`accepted load SCENARIO`: a run judged by the SLO file, whose verdict is the exit status."""

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from accepted.stack import ports
from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

if TYPE_CHECKING:
    from accepted.load.remote import RemoteRun
    from accepted.load.run import Run, Settings
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
@click.option(
    "--workers", type=click.IntRange(1, 32), default=1, help="Processes that share the load: Locust distributed."
)
@click.option("--web", is_flag=True, help="Locust's own page while it goes on, on a port that it says.")
@click.option("--url", help="A deployment of the contract that is up already, instead of a tree. Hosts of yours only.")
@click.option("--tenants", type=click.Path(path_type=Path), help="With --url: its tenants' tokens and accounts (YAML).")
@click.option("--mine", is_flag=True, help="With --url: that host is yours, and may be loaded.")
@click.option("--break-self-test", "broken", is_flag=True, hidden=True, help="Plants less than it looks for.")
@click.option("--clients", type=click.IntRange(1), help="Closed loop: so many wait for answers. Shows what that hides.")
def load(
    name: str, tree: Path | None, backend: str, seed: int | None, as_json: bool, results: Path | None, long: bool,
    workers: int, web: bool, url: str | None, tenants: Path | None, mine: bool, broken: bool, clients: int | None,
) -> None:  # fmt: skip
    """Load a tree by the clock, account for every job, and judge it by the SLO file.

    SCENARIO is a name of loadtests/scenarios, or a file; `accepted load list` lists them.

    Exit status 0: the SLO held. 99: an objective is broken. 97: a job was lost or doubled. 98: the run is worth
    nothing, and says why. 130: interrupted.
    """
    require_extra()
    if clients and workers > 1:
        raise Problem("a closed loop has one generator", "--clients and --workers were both given", "Leave one out.")
    from accepted.load import scenario as scenarios
    from accepted.load import slo
    from accepted.load.run import Settings

    folder = root() / "loadtests"
    if name == "list":
        for each in scenarios.names(folder):
            click.echo(f"{each:<16} {scenarios.load(folder, each).title}")
        return
    wanted = scenarios.load(folder, name, long)
    objectives, everything = slo.of(wanted, folder)
    if url:
        if tree:
            raise Problem("a tree or a deployment", "--tree and --url were both given", "Leave one out.")
        from accepted.load import remote

        remote.check(wanted, url, mine)
        backend, hint = "remote", None
    else:
        if tenants or mine:
            said = "--tenants" if tenants else "--mine"
            raise Problem(
                f"{said} speaks of a deployment", "no --url is given", "Name it with --url, or leave that out."
            )
        backend, hint = settle(backend, os.environ)
    settings = Settings(
        (tree or root() / os.environ.get("TREE", "solutions")).resolve(),
        backend,
        wanted.seed if seed is None else seed,
        (results or root() / "results" / "load") / f"{time.strftime('%Y%m%d-%H%M%S')}-{wanted.name}-{backend}",
        sys.stderr,
        as_json,
        promised=[each for each in everything if each.phase == "steady"],
        clients=clients,
        workers=workers,
        web=ports.free_port() if web else None,
    )
    with Interrupts():
        try:
            status = measured(_run(wanted, objectives, settings, url, tenants), hint, broken)
        except Interrupted:
            click.echo("\nstopped; nothing is left running, and nothing was judged", err=True)
            status = STOPPED
    sys.exit(status)


def _run(
    wanted: "Scenario", objectives: "list[Objective]", settings: "Settings", url: str | None, tenants: Path | None
) -> "Run | RemoteRun":
    from accepted.load.deployment import read_tenants
    from accepted.load.remote import RemoteRun
    from accepted.load.run import Run

    if url is None:
        return Run(wanted, objectives, settings)
    if tenants is None:
        why = "every request brings its tenant's token"
        raise Problem("whose work is it?", why, "Name a file with --tenants: TENANT: {token: …, accounts: [1, 2]}")
    return RemoteRun(wanted, objectives, settings, url, read_tenants(tenants))


def measured(run: "Run | RemoteRun", hint: str | None, broken: bool) -> int:
    """Self-test, run, verdict and page. The verdict's exit status."""
    from accepted.load.report import report
    from accepted.load.selftest import LOSING, PLANTED, self_test
    from accepted.load.summary import lines, summary

    wanted, settings = run.scenario, run.settings
    run.progress.say(f"{wanted.name}: {wanted.title}; {wanted.seconds:.0f} s at most, seed {settings.seed}")
    if hint:
        run.progress.say(hint)
    run.progress.say(PLANTED)
    settings.missed = list((self_test(losing=LOSING[1:]) if broken else self_test()).missed)
    for each in settings.missed:
        run.progress.say(f"  missed: {each}")
    settings.folder.mkdir(parents=True, exist_ok=True)
    ran = run.play()
    page = report(settings.folder)
    run.progress.say("")
    if settings.quiet:
        told = {**ran.verdict.as_dict(), "summary": summary(ran), "bundle": str(settings.folder)}
        click.echo(json.dumps(told, indent=1))
    else:
        for line in lines(ran):
            click.echo(line)
        click.echo(f"Report: {page}")
    return ran.verdict.code


def require_extra() -> None:
    """A Problem where the client and the histograms are not installed."""
    missing = [name for name in ("locust", "hdrh", "yaml", "jsonschema", "scipy") if find_spec(name) is None]
    if missing:
        why = f"{', '.join(missing)} is not installed"
        raise Problem("load tests need their extra", why, "Install it with: make .venv/.ready-dev")
