"""`accepted up`: everything boots, and stays until you stop it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from accepted.stack.background import start_in_background
from accepted.stack.environment import CHOICES
from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.run import Stack
from accepted.stack.state import DEFAULT, RunFolder, State, root, runs_folder


def scale_of(pairs: tuple[str, ...]) -> dict[str, int]:
    """`("relay=2",)` as `{"relay": 2}`."""
    scale = {}
    for pair in pairs:
        name, _, count = pair.partition("=")
        if not name or not count.isdigit():
            raise click.BadParameter(f"{pair!r} is not NAME=NUMBER, such as relay=2", param_hint="--scale")
        scale[name] = int(count)
    return scale


def summary(state: State) -> str:
    """What a person wants to know once everything is up."""
    name = "" if state.name == DEFAULT else f" --name {state.name}"
    lines = ["", "Everything is up."]
    if any(record.name.partition(".")[0] == "web" for record in state.processes):
        lines.append(f"  Client page  {state.urls['web']}/")
    lines += [
        f"  Database     {state.urls['database']}",
        f"  Redis        {state.urls['redis']}",
        f"  Partner      {state.urls['partner']}/ledger",
        f"  Stop it with accepted down{name}",
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option(
    "--tree",
    type=click.Path(path_type=Path),
    help="Folder of the app and its Procfile.  [default: TREE, else solutions]",
)
@click.option("--backend", type=click.Choice(CHOICES), help="The broker and its library.  [default: BACKEND, else rq]")
@click.option("--detach", is_flag=True, help="Return once everything is up, and leave it running.")
@click.option(
    "--seed-data/--no-seed-data", default=True, show_default=True, help="Fill the fresh database with made-up data."
)
@click.option("--scale", "pairs", multiple=True, metavar="NAME=N", help="So many instances of a process, e.g. relay=2.")
@click.option("--web-port", type=int, help="Where the API listens.  [default: a free port]")
@click.option("--stream-port", type=int, help="Where the event streams listen.  [default: a free port]")
@click.option("--name", default=DEFAULT, show_default=True, help="Name of the run, to have several.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON once it is up, and no log.")
@click.option("--supervise", is_flag=True, hidden=True, help="We are the background half of --detach.")
def up(
    tree: Path | None, backend: str | None, detach: bool, seed_data: bool, pairs: tuple[str, ...],
    web_port: int | None, stream_port: int | None, name: str, as_json: bool, supervise: bool,
) -> None:  # fmt: skip
    """Start PostgreSQL, Redis, the simulated third parties and the app, each on a free port of 127.0.0.1.

    Shows their logs in one stream until Ctrl-C, which stops everything; data is fresh each time.
    """
    scale = scale_of(pairs)
    if detach and not supervise:
        state = start_in_background(RunFolder(runs_folder() / name), [*sys.argv[1:], "--supervise"])
        click.echo(json.dumps(asdict(state), indent=2) if as_json else summary(state))
        return
    ports = {which: port for which, port in (("web", web_port), ("stream", stream_port)) if port is not None}
    with Interrupts() as interrupts:
        booted = False
        try:
            stack = Stack(
                tree or root() / os.environ.get("TREE", "solutions"), backend=backend or
                os.environ.get("BACKEND", "rq"),
                scale=scale, name=name, seed="small" if seed_data else None, fixed_ports=ports,
                out=None if as_json or supervise else sys.stdout,
            )  # fmt: skip
            stack.hurry = interrupts.hurry
            with stack:
                booted = True
                click.echo(json.dumps(asdict(stack.state), indent=2) if as_json else summary(stack.state))
                problem = stack.wait()
            raise problem or Problem("the run has ended", "its runner was closed", "Start it again with: accepted up")
        except Interrupted:
            if not supervise and not as_json:
                click.echo("Everything is stopped.")
            if not booted:
                sys.exit(130)
