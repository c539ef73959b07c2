"""`accepted score`: what was earned, and what was shown on the way."""

from pathlib import Path

import click

from accepted.loop.options import as_json, directory
from accepted.loop.standing import next_of, standings
from accepted.loop.telling import Said, as_rows, table
from accepted.loop.work import opened


@click.command()
@directory
@as_json
def score(directory: Path, as_json: bool) -> None:
    """Say which exercises pass, the points earned, and the hints and references shown on the way.

    Points are for a pass with modules of your own; they stay when you edit these, and it says that you have. Hints cost
    nothing; a pass after the reference was shown is counted apart. This is a teacher, not a proctor: the files are
    yours, and so is this count.
    """
    said, work = Said(as_json), opened(directory)
    rows = standings(work)
    points, worth = sum(one.points for one in rows), sum(one.worth for one in rows)
    helped = sum(one.points for one in rows if one.with_reference)
    following = next_of(rows)
    said.outcome(
        tree=directory, backend=work.backend, points=points, of=worth, points_with_reference=helped,
        hints=sum(one.hints for one in rows), references=sum(one.reference for one in rows),
        next=following and following.number, exercises=as_rows(rows),
    )  # fmt: skip
    for line in table(rows):
        said.line(line)
    apart = f", {helped} of them after the reference was shown" if helped else ""
    said.line(f"\n {points} of {worth} points{apart}.")
    said.line(f" Next: make exercise-{following.number}" if following else " Every exercise is behind you.")
