"""`accepted doctor`: what is missing on this machine, and the one command that cures it."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from accepted.demo.screen import Screen
from accepted.loop.changes import look
from accepted.loop.machine import Finding, findings
from accepted.loop.options import as_json, directory
from accepted.loop.telling import Said
from accepted.loop.work import found
from accepted.stack.environment import CHOICES

MARKS = {"ok": ("✓", "green"), "missing": ("✗", "red"), "optional": ("–", "yellow")}


@click.command()
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), help="For this one (default: $BACKEND, else "
              "the one that your tree was started with, else rq).")  # fmt: skip
@directory
@as_json
def doctor(backend: str | None, directory: Path, as_json: bool) -> None:
    """Say what is missing on this machine, and the one command that cures it.

    Exits 1 where something is missing that is needed; what only some things want is no reason.
    """
    said, work = Said(as_json), found(directory)
    seen = findings(backend or (work.backend if work else "rq"), os.environ)
    seen.append(_tree(directory))
    missing = [one for one in seen if one.status == "missing"]
    said.outcome(ready=not missing, findings=[asdict(one) for one in seen])
    screen = Screen(quiet=as_json)
    width = max(len(one.name) for one in seen)
    for one in seen:
        mark, colour = MARKS[one.status]
        screen.line(f" {screen.style(mark, fg=colour)} {one.name:<{width}}  {one.found}")
        if one.cure:
            screen.line(f"   {'':<{width}}  → {one.cure}")
    screen.line()
    screen.line(f" {len(missing)} missing." if missing else " Nothing is missing that is needed.")
    sys.exit(1 if missing else 0)


def _tree(directory: Path) -> Finding:
    """A tree that isn't there yet is no illness."""
    work = found(directory)
    if work is None:
        return Finding("your tree", "optional", f"there is none in {directory} yet", "make start")
    if said := work.cut_off():
        return Finding("your tree", "missing", said.partition(". ")[0], said.partition("go back: ")[2])
    return Finding("your tree", "ok", f"{directory}, {len(look(directory))} files, for {work.backend}")
