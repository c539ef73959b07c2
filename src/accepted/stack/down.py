"""`accepted down`."""

import json

import click

from accepted.stack.leftovers import bring_down
from accepted.stack.state import DEFAULT, RunFolder, require_name, runs_folder


@click.command()
@click.option("--name", default=DEFAULT, show_default=True, help="Name of the run.")
@click.option("--all", "everything", is_flag=True, help="Every run of this repository.")
@click.option("--json", "as_json", is_flag=True, help="Print what was stopped as JSON.")
def down(name: str, everything: bool, as_json: bool) -> None:
    """Stop what `accepted up` started, also where its terminal was closed or it was killed."""
    names = (
        sorted(path.parent.name for path in runs_folder().glob("*/state.json")) if everything else [require_name(name)]
    )
    stopped = [name for name in names if bring_down(RunFolder(runs_folder() / name))]
    if as_json:
        click.echo(json.dumps({"stopped": stopped}))
    else:
        click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was up.")
