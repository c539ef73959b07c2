"""`accepted logs`."""

import re
import sys
import time
from collections import deque
from pathlib import Path
from typing import IO

import click

from accepted.stack.errors import Problem
from accepted.stack.logs import MERGED, merged_line, wants_colour
from accepted.stack.state import DEFAULT, RunFolder, require_name, runs_folder

_LINE = re.compile(r"^(\d\d:\d\d:\d\d\.\d{3}) (\S+) \| (.*)$")
SERVERS = ("postgres", "redis")  # they write their own files, in their own format


def _shown(line: str, names: tuple[str, ...], colour: bool) -> str | None:
    found = _LINE.match(line.rstrip("\n"))
    if found is None:
        return None if names else line.rstrip("\n")
    moment, name, text = found.groups()
    if names and name not in names and name.partition(".")[0] not in names:
        return None
    return merged_line(moment, name, text, 12, colour)


def _show(file: IO[str], names: tuple[str, ...], colour: bool, last: int | None) -> None:
    lines = (shown for line in file if (shown := _shown(line, names, colour)) is not None)
    for line in deque(lines, maxlen=last) if last is not None else lines:
        click.echo(line)


def _existing(folder: RunFolder, names: tuple[str, ...]) -> Path:
    known = sorted(path.stem for path in folder.logs.glob("*.log") if path.name != MERGED)
    if not (folder.logs / MERGED).exists():
        raise Problem("no logs", f"run {folder.path.name} was never up", "Start it with: accepted up")
    for name in names:
        if not any(name in (one, one.partition(".")[0]) for one in known):
            raise Problem(f"no logs of {name}", f"there are {', '.join(known)}", "Name one of these.")
    return folder.logs / (f"{names[0]}.log" if names and names[0] in SERVERS else MERGED)


@click.command("logs")
@click.argument("processes", nargs=-1, metavar="[PROCESS]...")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run stops.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=200, show_default=True, help="So many lines of the past."
)
@click.option("--name", default=DEFAULT, show_default=True, help="Name of the run.")
def logs(processes: tuple[str, ...], follow: bool, lines: int, name: str) -> None:
    """Show the log of a run, of some PROCESSes or of all; `postgres` and `redis` have their own."""
    folder = RunFolder(runs_folder() / require_name(name))
    path = _existing(folder, processes)
    if path.name != MERGED:
        if len(processes) > 1:
            raise click.UsageError(f"{processes[0]} keeps its own log: name it alone.")
        processes = ()
    colour = wants_colour(sys.stdout)
    with path.open(encoding="utf-8", errors="replace") as file:
        _show(file, processes, colour, lines)
        while follow and folder.is_claimed():
            _show(file, processes, colour, None)
            time.sleep(0.1)
        if follow:
            _show(file, processes, colour, None)
