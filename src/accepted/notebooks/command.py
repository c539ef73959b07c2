"""`accepted notebooks`: runs them all, and fails if a cell of one fails."""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from accepted.stack.errors import Problem
from accepted.stack.interrupts import Interrupted, Interrupts
from accepted.stack.state import root

if TYPE_CHECKING:
    from accepted.notebooks.making import Made

NEEDED = ("papermill", "jupytext", "nbconvert", "ipykernel", "matplotlib", "pandas", "hdrh")
STOPPED = 130


@click.command()
@click.argument("names", nargs=-1, metavar="[N]...")
@click.option("--shipped", is_flag=True, help="On the runs that come with the repository, whatever results/ holds.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where they go.  [default: results/notebooks]")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON, and nothing else.")
def notebooks(names: Sequence[str], shipped: bool, folder: Path | None, as_json: bool) -> None:
    """Execute the notebooks on the newest runs in results/load, else on those that come with the repository.

    Each leaves a page, its pictures and an executed .ipynb. N: their numbers; all by default.

    Exit status 0: no cell failed; a notebook for which there is no run at all is named, with the command that makes
    one. 1: a cell failed, and the page shows it. 130: interrupted.
    """
    require()
    from accepted.notebooks import choosing
    from accepted.notebooks.making import make

    if shipped:
        os.environ[choosing.ONLY] = "shipped"
    sources, to, began = wanted(names), folder or root() / "results" / "notebooks", time.monotonic()
    made = []
    with Interrupts():
        try:
            for source in sources:
                if not as_json:
                    click.echo(f"{source.stem} …", err=True)
                made.append(make(source, to, root()))
                if not as_json:
                    for line in lines(made[-1]):
                        click.echo(line)
        except Interrupted:
            click.echo("\nstopped; nothing is left running", err=True)
            sys.exit(STOPPED)
    failed = [each for each in made if each.failed]
    if as_json:
        click.echo(json.dumps([vars(each) for each in made], indent=1, default=str))
    else:
        ran = sum(not each.failed and not each.missing for each in made)
        click.echo(f"{ran} of {len(made)} notebooks ran, in {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


def wanted(names: Sequence[str]) -> list[Path]:
    """The sources of these numbers, in order. Raises Problem for a number that there is not."""
    there = sorted((root() / "notebooks").glob("[0-9]*.py"))
    known = {each.stem.partition("-")[0]: each for each in there}
    if odd := [name for name in names if name not in known]:
        raise Problem(f"there is no notebook {odd[0]}", f"there are {', '.join(known)}", "Name one of them by number.")
    return [known[name] for name in names] or there


def lines(made: "Made") -> list[str]:
    """What a person is told of one that was made."""
    if made.missing:
        return [f"  – not made: {made.missing}"]
    page = made.page.relative_to(Path.cwd()) if made.page.is_relative_to(Path.cwd()) else made.page
    what = f"✗ {made.failed}" if made.failed else f"✓ {len(made.pictures)} charts"
    return [f"  {what}, {made.seconds:.1f} s: {page}", *(f"    from {each}" for each in made.bundles)]


def require() -> None:
    """A Problem where what notebooks run in is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        why = f"{', '.join(missing)} is not installed"
        raise Problem("notebooks need their extra", why, "Install it with: make .venv/.ready-notebooks")
