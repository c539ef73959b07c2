"""`accepted status`."""

import json
from dataclasses import asdict
from typing import Any

import click

from accepted.stack import processes
from accepted.stack.health import Http, Port
from accepted.stack.leftovers import supervisor
from accepted.stack.state import DEFAULT, Recorded, RunFolder, require_name, runs_folder


def health_of(record: Recorded) -> str:
    """`healthy`, `unhealthy` or `ended`, asked now; `given` for a server that someone else runs."""
    if record.kind == "server" and record.pid is None and record.port is None:
        return "given"
    if not record.pid or not record.started or not processes.found(record.pid, record.started):
        return "ended"
    if record.port is None:
        return "healthy"
    probe = Http(record.port) if record.http else Port(record.port)
    return "healthy" if probe.met(0) else "unhealthy"


def status_of(folder: RunFolder) -> dict[str, Any] | None:
    """The run's state and each process's health; None where there was never a run of that name."""
    state = folder.load()
    if state is None:
        return None
    alive = folder.is_claimed() and supervisor(state) is not None
    known = asdict(state)
    if not alive and not state.over:
        known["phase"] = "dead"  # killed, and its tether has swept or is about to
    known["processes"] = [{**asdict(record), "health": health_of(record)} for record in state.processes]
    return known


@click.command()
@click.option("--name", default=DEFAULT, show_default=True, help="Name of the run.")
@click.option("--json", "as_json", is_flag=True, help="Print everything known as JSON.")
def status(name: str, as_json: bool) -> None:
    """Show whether a run is up, and each process's health. Exit status 1 where it is not up and healthy."""
    known = status_of(RunFolder(runs_folder() / require_name(name)))
    if as_json:
        click.echo(json.dumps(known or {"name": name, "phase": "stopped", "processes": []}, indent=2))
    elif known is None or known["phase"] in ("stopped", "failed"):
        click.echo("Nothing is up. Start it with: accepted up")
    else:
        click.echo(f"Run {name} is {known['phase']} (process {known['supervisor']}).")
        for record in known["processes"]:
            restarts = f", {record['restarts']} restarts" if record["restarts"] else ""
            port = f":{record['port']}" if record["port"] else ""
            click.echo(
                f"  {record['name']:<14} {record['health']:<10} {record['pid'] or '-':>8}  {port:<7}{restarts}".rstrip()
            )
        for which, url in known["urls"].items():
            click.echo(f"  {which:<14} {url}")
    good = known is not None and known["phase"] == "up"
    if not good or known is None or any(record["health"] in ("unhealthy", "ended") for record in known["processes"]):
        raise SystemExit(1)
