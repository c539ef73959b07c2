"""`accepted new-exercise`: the folder of an exercise that says of itself what is still to be written."""

import re
import shutil
from pathlib import Path
from string import Template

import click

from accepted.grade.exercise import folders
from accepted.ladder import CACHES, EXERCISES, rungs
from accepted.stack.errors import Problem, cannot_write

BLANK = Path(__file__).parent / "blank"
LAST = 99  # two digits


@click.command("new-exercise")
@click.argument("name")
def command(name: str) -> None:
    """Lay the skeleton of an exercise called NAME, such as rate-limits, under the next free number.

    What is there is never written over. It can be graded at once (`accepted check N --tree solutions`); `accepted
    lint-exercises N` says what is still to be written, docs/authoring.md how.
    """
    folder = lay(name)
    number = int(folder.name[:2])
    click.echo(f"{folder}: exercise {number}")
    click.echo(f"  try it:           .venv/bin/accepted check {number} --tree solutions")
    click.echo(f"  what it lacks:    .venv/bin/accepted lint-exercises {number}")
    click.echo("  how it is done:   docs/authoring.md")


def lay(name: str, root: Path = EXERCISES) -> Path:
    """The new folder. Raises Problem where the name won't do, is taken, or nothing can be written."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise Problem(
            f"{name!r} is no name for an exercise", "it becomes part of a folder's name", "Use a-z, 0-9 and single -."
        )
    taken = {path.name[3:]: path for path in root.glob("[0-9][0-9]-*")}
    if name in taken:
        raise Problem(f"there is an exercise {name}", f"it is {taken[name]}", "Choose another name.")
    number = _free(name, root)
    folder = root / f"{number:02}-{name}"
    values = {"number": str(number), "slug": name, "title": name.replace("-", " ").capitalize(),
              "prerequisites": ", ".join(str(one) for one in folders(root) if one < number)}  # fmt: skip
    try:
        folder.mkdir()  # fails where it is there: two who begin at the same moment do not share one
        shutil.copytree(BLANK, folder, ignore=CACHES, dirs_exist_ok=True)
        for path in (folder / "exercise.toml", folder / "README.md"):
            path.write_text(Template(path.read_text()).substitute(values))
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _free(name: str, root: Path) -> int:
    """The number under which the ladder knows it, else the next one that neither it nor a folder has."""
    used = {int(path.name[:2]) for path in root.glob("[0-9][0-9]-*")}
    planned = {rung.number: rung.name for rung in rungs()}
    number = next((one for one, called in planned.items() if called == name and one not in used), None)
    number = number or max(used | set(planned), default=0) + 1
    if number > LAST:
        raise Problem("there is no number left", f"{LAST} is the last of two digits", "Take an exercise away.")
    return number
