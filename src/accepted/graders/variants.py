"""tests/variants/: trees that are right by another road. `NN-name.toml`: exercise, backends, about, and changes."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from accepted.grade.exercise import Exercise, Shape, put
from accepted.ladder import ROOT, compose
from accepted.stack.errors import Problem

VARIANTS = ROOT / "tests" / "variants"


class Change(Shape):
    """`old` becomes `new`, or `code` goes under the module, or `file` is the whole of it (which may be a new one)."""

    module: str
    old: str | None = None
    new: str | None = None
    code: str | None = None
    file: str | None = None

    def put_into(self, tree: Path, name: str) -> None:
        """Raises Problem where it does not fit."""
        path = tree / self.module
        if self.file is None and not path.exists():
            raise Problem(f"variant {name} does not fit", f"there is no {self.module}", "Mend its .toml.")
        path.parent.mkdir(parents=True, exist_ok=True)
        given = {key: value for key, value in self.model_dump(exclude={"module"}).items() if value is not None}
        if set(given) not in ({"old", "new"}, {"code"}, {"file"}):
            wanted = "a change has old and new, or code, or file"
            raise Problem(f"variant {name} changes nothing", wanted, "Mend its .toml.")
        put(path, given, name)


class _Toml(Shape):
    exercise: int
    about: str
    backends: tuple[Literal["rq", "celery-redis", "celery-rabbitmq"], ...] = ()
    change: tuple[Change, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Variant:
    """`backends`: those for which it is written; none named means all."""

    name: str
    exercise: int
    about: str
    backends: tuple[str, ...]
    changes: tuple[Change, ...]

    def tree(self, exercise: Exercise, into: Path) -> Path:
        """The reference's prerequisites and solution, with the changes. Raises Problem where one does not fit."""
        tree = compose(into, {*exercise.toml.prerequisites, self.exercise})
        for change in self.changes:
            change.put_into(tree, self.name)
        return tree


def variants(folder: Path = VARIANTS) -> Mapping[str, Variant]:
    """By name, which is the file's. Raises Problem where one is not well-formed."""
    return {path.stem: _read(path) for path in sorted(folder.glob("[0-9][0-9]-*.toml"))}


def _read(path: Path) -> Variant:
    try:
        toml = _Toml.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Problem(f"{path} is not a variant", str(error), "Mend it.") from None
    if toml.exercise != int(path.name[:2]):
        says = f"it says exercise {toml.exercise}"
        raise Problem(f"{path} is misnamed", says, f"Rename it {toml.exercise:02}{path.name[2:]}.")
    return Variant(path.stem, toml.exercise, toml.about, toml.backends, toml.change)
