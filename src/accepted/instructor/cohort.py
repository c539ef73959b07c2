"""`accepted cohort`."""

import json
from pathlib import Path

import click

from accepted.check import report as reporting
from accepted.grade.exercise import folders, load
from accepted.instructor import page, sheet
from accepted.instructor.collected import as_json as learner_json
from accepted.instructor.collected import collect
from accepted.instructor.room import Room

SHOWN = 8  # lines of each list on the screen; all stand on the page


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--csv", "csv_", type=click.Path(path_type=Path, dir_okay=False), help="Write a line for each learner, "
              "exercise and check there.")  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page there.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, and nothing else.")
def cohort(directory: Path, csv_: Path | None, html: Path | None, as_json: bool) -> None:
    """Show where a room sticks, from the results of its learners.

    DIR holds a folder for each learner, with their results/ or the NN.json of it inside. A file that is torn, foreign,
    of another edition or written into is named and left out.
    """
    exercises = [load(folder) for folder in folders().values()]
    learners, left_out = collect(directory, {one.toml.number: one for one in exercises})
    room = Room(exercises, learners, left_out)
    for path, text in ((csv_, sheet.render(room) if csv_ else ""), (html, page.render(room) if html else "")):
        if path:
            reporting.save(path, text)
    if as_json:
        click.echo(_as_json(room))
        return
    for line in lines(room):
        click.echo(line)
    for path in (csv_, html):
        if path:
            click.echo(f"written: {path}")


def lines(room: Room) -> list[str]:
    """What the screen shows."""
    graded = sum(len(one.results) for one in room.learners)
    found = [f"{len(room.learners)} learner(s), {graded} result(s)", "", "pass, of those graded:"]
    for one in room.exercises:
        passed, judged = room.passing(one)
        found.append(f"  {one.toml.number:>2}  {one.toml.title:<16}" + (f"{passed} of {judged}" if judged else "–"))
    stuck = room.stuck()
    found += ["", "where most stand:" if stuck else "no check fails anybody"]
    width = max((len(one.label) for one in stuck[:SHOWN]), default=0)
    found += [f"  {one.label:<{width}}  {len(one.those)} of {one.judged}  {one.says}" for one in stuck[:SHOWN]]
    if len(stuck) > SHOWN:
        found.append(f"  and {len(stuck) - SHOWN} more")
    if room.left_out:
        found += ["", f"left out: {len(room.left_out)}"]
        found += [f"  {one.file}: {one.why}" for one in room.left_out]
    return found


def _as_json(room: Room) -> str:
    stuck = [{"check": one.label, "says": one.says, "judged": one.judged, "learners": list(one.those)}
             for one in room.stuck()]  # fmt: skip
    learners = [learner_json(one) | {"points": room.points(one)} for one in room.learners]
    left_out = [vars(one) for one in room.left_out]
    return json.dumps({"learners": learners, "stuck": stuck, "left_out": left_out}, indent=1)
