"""The learner's tree: where it is, and what `accepted start` wrote down about it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from accepted import durable
from accepted.loop.invocation import program
from accepted.stack.environment import BACKENDS
from accepted.stack.errors import Problem, cannot_write

DEFAULT = Path("work")
NOTES = ".learner"  # hidden, so no part of the tree


@dataclass(frozen=True)
class Work:
    """`given`: the exercises whose modules are the reference's, because the learner began or caught up above them."""

    tree: Path
    backend: str = "rq"
    given: tuple[int, ...] = ()

    @property
    def about(self) -> Path:
        return self.tree / NOTES / "about.json"

    @property
    def journal(self) -> Path:
        return self.tree / NOTES / "journal.jsonl"

    @property
    def underway(self) -> Path:
        """There while files are being replaced."""
        return self.tree / NOTES / "underway"

    @property
    def stashes(self) -> Path:
        """Beside the tree: `make clean` and a fresh start leave it alone."""
        return self.tree.with_name(f"{self.tree.name}.stash")

    def save(self) -> None:
        """Raises Problem."""
        said = {name: value for name, value in asdict(self).items() if name != "tree"}
        try:
            durable.write(self.about, json.dumps(said).encode() + b"\n")
        except OSError as error:
            raise cannot_write(error.filename or self.about, error) from error

    def with_(self, **changed: object) -> "Work":
        return replace(self, **changed)  # type: ignore[arg-type]

    def half_way(self) -> tuple[str, Path] | None:
        """The catch-up, reset, restore or start that has not come to its end, and its stash."""
        try:
            verb, kept = self.underway.read_text().splitlines()
        except (OSError, ValueError):
            return None
        return verb, Path(kept)

    def cut_off(self) -> str | None:
        """What to tell someone whose last one did not come to its end."""
        found = self.half_way()
        if found is None:
            return None
        return f"The last {found[0]} was cut off half-way. Do it again, or go back: {self.way_back(found[1])}"

    def way_back(self, stash: Path) -> str:
        """The command that brings these files back."""
        if self.tree == DEFAULT:
            return f"make restore STASH={shlex.quote(str(stash))}"
        return f"{program()} restore {shlex.quote(str(stash))} --dir {shlex.quote(str(self.tree))}"


def found(tree: Path = DEFAULT) -> Work | None:
    """The learner's tree in that folder, if there is one."""
    work = Work(tree)
    try:
        said = json.loads(work.about.read_text())
        backend, given = str(said["backend"]), tuple(int(number) for number in said["given"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # A tree with a note that can't be read is still a learner's: nothing may take it for an empty place.
        return work
    return work.with_(backend=backend if backend in BACKENDS else "rq", given=given)


def opened(tree: Path) -> Work:
    """Raises Problem where no learner's tree is there."""
    work = found(tree)
    if work is None:
        cure = "Begin with `make start` (accepted start), or name another folder with --dir."
        raise Problem(f"{tree} is not a tree to work in", "`accepted start` has not made one there", cure)
    if said := work.cut_off():
        click.echo(said, err=True)
    return work


def to_grade(tree: str | None, environ: Mapping[str, str]) -> Path:
    """What `accepted check` grades: the tree that was named, $TREE, else the learner's. Raises Problem: never a tree
    that nobody asked for, whose pass would be nobody's."""
    if named := tree or environ.get("TREE"):
        return Path(named)
    if found(DEFAULT) is None:
        cure = "Begin with `make start`, or name one: make exercise-1 TREE=solutions (accepted check 1 --tree DIR)."
        raise Problem("there is no tree to grade", f"none is named, and there is no folder {DEFAULT}", cure)
    return DEFAULT
