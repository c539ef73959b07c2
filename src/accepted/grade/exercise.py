"""What an exercise is: exercise.toml and the folder around it, read with errors that name the key to mend."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from accepted.ladder import EXERCISES, compose, rungs
from accepted.stack.errors import Problem

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(Shape):
    """`says`: what holds when it passes, in a sentence. `needs`: checks without which it can't be judged."""

    says: str
    needs: tuple[Name, ...] = ()


class KnownBad(Shape):
    """A wrong tree that people really write: its flaw, and the check that has to fail because of it.

    `backends`: where it can be written at all; none named means everywhere.
    """

    flaw: str
    fails: Name
    backends: tuple[Literal["rq", "celery-redis", "celery-rabbitmq"], ...] = ()


class Toml(Shape):
    """exercise.toml, as it stands."""

    number: int = Field(ge=1)
    slug: Name
    title: str
    size: str
    points: int = Field(ge=1)
    prerequisites: tuple[int, ...] = ()
    processes: tuple[str, ...]
    seconds: float = Field(180.0, gt=0, le=600)  # for everything, boot included
    env: Mapping[str, str] = {}
    intended: Name
    intended_on_start: Name | None = None
    checks: Mapping[Name, Check]
    known_bad: Mapping[Name, KnownBad] = {}

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for name, check in self.checks.items():
            if unknown := [one for one in check.needs if one not in self.checks]:
                raise ValueError(f"checks.{name} needs {unknown[0]}, which is no check")
        for what, named in (("intended", self.intended), ("intended_on_start", self.intended_on_start)):
            if named and named not in self.checks:
                raise ValueError(f"{what} is {named}, which is no check")
        for name, bad in self.known_bad.items():
            if bad.fails not in self.checks:
                raise ValueError(f"known_bad.{name} fails {bad.fails}, which is no check")
        if circle := set(self.checks) - set(self.order()):
            raise ValueError(f"checks need one another in a circle: {', '.join(sorted(circle))}")
        return self

    def order(self) -> list[str]:
        """The checks as written, but each after those that it needs."""
        found: list[str] = []
        left = dict(self.checks)
        while ready := next((name for name, check in left.items() if set(check.needs) <= set(found)), None):
            found.append(ready)
            del left[ready]
        return found


@dataclass(frozen=True)
class Exercise:
    """An exercise and its folder."""

    folder: Path
    toml: Toml

    @property
    def title(self) -> str:
        return f"Exercise {self.toml.number}: {self.toml.title}"

    @property
    def label(self) -> str:
        """Two digits, as its results are called."""
        return f"{self.toml.number:02}"

    @property
    def start_intended(self) -> str:
        return self.toml.intended_on_start or self.toml.intended

    def modules(self) -> Sequence[str]:
        """The modules that the learner mends, as the ladder names them."""
        return sorted(path for rung in rungs() if rung.number == self.toml.number for path in rung.modules)

    def known_bad(self, name: str, into: Path) -> Path:
        """A tree of prerequisites and solution with that flaw in it. Raises Problem where a change does not fit."""
        tree = compose(into, {*self.toml.prerequisites, self.toml.number})
        for change in tomllib.loads((self.folder / "known_bad" / f"{name}.toml").read_text())["change"]:
            put(tree / change["module"], change, name)
        return tree

    def dependents(self, name: str) -> frozenset[str]:
        """The checks that can't be judged where this one fails."""
        found = {name}
        for each in self.toml.order():
            if found & set(self.toml.checks[each].needs):
                found.add(each)
        return frozenset(found - {name})


def put(module: Path, change: Mapping[str, str], name: str) -> None:
    """One change: `old` becomes `new`, `code` goes under the module, or `file` is all of it. Raises Problem."""
    if "file" in change:
        module.write_text(change["file"])
        return
    if not module.exists():
        raise Problem(f"known-bad {name} does not fit", f"the tree has no {module.name}", "Mend its .toml.")
    text = module.read_text()
    if "code" in change:
        module.write_text(f"{text}\n\n{change['code']}")
        return
    if text.count(change["old"]) != 1:
        found = text.count(change["old"])
        raise Problem(
            f"known-bad {name} does not fit", f"its `old` is found {found} times in {module.name}", "Mend its .toml."
        )
    module.write_text(text.replace(change["old"], change["new"]))


def folders(root: Path = EXERCISES) -> dict[int, Path]:
    """Exercise folders by number: `01-accept` and so on."""
    found = (path for path in root.glob("[0-9][0-9]-*") if (path / "exercise.toml").exists())
    return {int(path.name[:2]): path for path in sorted(found)}


def find(number: int, root: Path = EXERCISES) -> Exercise:
    """Raises Problem where there is no such exercise, or it is not well-formed."""
    known = folders(root)
    if number not in known:
        there = ", ".join(map(str, known)) or "none"
        raise Problem(f"there is no exercise {number}", f"there are {there}", "Name one of these.")
    return load(known[number])


def load(folder: Path) -> Exercise:
    """Raises Problem, with a line for each thing that is wrong."""
    path = folder / "exercise.toml"
    try:
        toml = Toml.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"cannot read {path}", str(error), "Mend it.") from error
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, one['loc'])) or 'exercise.toml'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Problem(f"{path} is not an exercise", f"{len(wrong)} thing(s) are wrong", "Mend these:", wrong) from None
    if folder.name != f"{toml.number:02}-{toml.slug}":
        called = f"{toml.number:02}-{toml.slug}"
        raise Problem(f"{folder} holds exercise {called}", "folder and exercise.toml disagree", f"Rename it {called}.")
    overlays = {one.stem for one in (folder / "known_bad").glob("*.toml")}
    if odd := sorted(overlays ^ set(toml.known_bad)):
        raise Problem(
            f"{path} and {folder / 'known_bad'} disagree", f"only one of them has {', '.join(odd)}", "Mend the other."
        )
    return Exercise(folder, toml)
