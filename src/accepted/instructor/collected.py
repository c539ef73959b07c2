"""The result files of many learners, each read with suspicion: what is odd is named and left out, and stops nobody."""

import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accepted.grade.exercise import Exercise
from accepted.grade.verdict import Result, Status, overall
from accepted.stack.errors import Problem

LARGEST = 4 << 20  # bytes; a result with all its evidence has some 20 KB
OF_THE_GRADER = {"leaving", "grader-files"}  # what the engine adds to an exercise's checks, where it must
NOT_THEIRS = {"solutions", "exercises/start"}  # trees that come with the kit
FILES = "[0-9][0-9].json"

Text = Annotated[str, Field(max_length=20_000)]


class Checked(BaseModel):
    """A check in results/NN.json, as far as it is read here."""

    model_config = ConfigDict(frozen=True)
    name: Annotated[str, Field(max_length=80)]
    status: Status
    message: Text = ""
    difference: Text = ""


class Graded(BaseModel):
    """results/NN.json, as far as it is read here. `started`: seconds since the epoch."""

    model_config = ConfigDict(frozen=True)
    exercise: Annotated[int, Field(strict=True, ge=1, le=99)]
    slug: Annotated[str, Field(max_length=80)]
    tree: Text
    backend: Literal["rq", "celery-redis", "celery-rabbitmq", "memory"]
    verdict: Status
    started: Annotated[float, Field(ge=0, le=4e9)]
    seconds: Annotated[float, Field(ge=0, le=1e6)]
    checks: Annotated[tuple[Checked, ...], Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Learner:
    """`name`: of the folder, with what can't be printed replaced. `results`: by exercise."""

    name: str
    results: Mapping[int, Graded] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A file that says nothing here, and why."""

    file: str
    why: str


class Odd(Exception):
    """Why a file is left out."""


def collect(folder: Path, known: Mapping[int, Exercise]) -> tuple[list[Learner], list[LeftOut]]:
    """Every folder within is a learner, with their NN.json in it, in its results/ or in both: then the newer counts.

    Nothing is followed that leads elsewhere. Raises Problem where the folder can't be read or holds no learner.
    """
    try:
        inside = sorted(os.scandir(folder), key=lambda one: _as_in_a_list(one.name))
    except OSError as error:
        cure = "Name the folder that holds a folder for each learner (docs/authoring.md, A room)."
        raise Problem(f"cannot read {printable(str(folder))}", _why(error), cure) from error
    learners: list[Learner] = []
    left_out: list[LeftOut] = []
    for entry in inside:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            found, odd = _learner(Path(entry.path), _unlike(printable(entry.name), learners), known)
            learners.append(found)
            left_out += odd
        elif entry.is_symlink() or Path(entry.name).match(FILES):
            why = "is a link" if entry.is_symlink() else "lies in no learner's folder: nobody knows whose it is"
            left_out.append(LeftOut(printable(entry.name), why))
    if not learners:
        cure = "Put a folder for each learner into it, with their results in it (docs/authoring.md, A room)."
        raise Problem(f"nobody is in {printable(str(folder))}", "it has no folders", cure)
    return learners, left_out


def printable(text: str, most: int = 80) -> str:
    """What a terminal, a page and a sheet can show without being told what to do."""
    clean = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def read(path: Path, known: Mapping[int, Exercise]) -> Graded:
    """One file. Raises Odd."""
    try:
        said = json.loads(_bytes(path).decode("utf-8-sig"))
        found = Graded.model_validate(said)
    except OSError as error:
        raise Odd(f"can't be read: {_why(error)}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise Odd(f"is no result: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise Odd(f"is no JSON, or is torn ({type(error).__name__})") from None
    if path.name != f"{found.exercise:02}.json":
        raise Odd(f"holds exercise {found.exercise}, and is not called {found.exercise:02}.json")
    exercise = known.get(found.exercise)
    if exercise is None or exercise.toml.slug != found.slug:
        here = f"that is {exercise.toml.slug}" if exercise else "there is none"
        raise Odd(f"is of exercise {found.exercise} {found.slug}; here {here}")
    names = [one.name for one in found.checks if one.name not in OF_THE_GRADER]
    if sorted(names) != sorted(exercise.toml.checks):
        other = sorted(set(names) ^ set(exercise.toml.checks))
        differ = f"only one of them has {other[0]}" if other else "a check stands there twice"
        raise Odd(f"is of another edition of this exercise ({differ}): have it graded again")
    if found.verdict != overall([Result(one.name, one.status, "") for one in found.checks]):
        raise Odd(f"says {found.verdict}, and its checks say otherwise: somebody has written into it")
    if found.tree.rstrip("/") in NOT_THEIRS:
        raise Odd(f"graded {found.tree.rstrip('/')}, which came with the kit, and no tree of theirs")
    return found


def _learner(folder: Path, name: str, known: Mapping[int, Exercise]) -> tuple[Learner, list[LeftOut]]:
    results: dict[int, Graded] = {}
    left_out = []
    for path in _files(folder):
        try:
            if isinstance(path, Odd):
                raise path
            found = read(path, known)
        except Odd as odd:
            shown = "/".join([name, *path.relative_to(folder).parts]) if isinstance(path, Path) else name
            left_out.append(LeftOut(printable(shown, 160), printable(str(odd), 300)))
            continue
        before = results.get(found.exercise)
        if before is None or before.started < found.started:
            results[found.exercise] = found
    return Learner(name, dict(sorted(results.items()))), left_out


def _files(folder: Path) -> Iterator[Path | Odd]:
    for place in (folder, folder / "results"):
        if place.is_symlink():
            yield Odd("its results/ is a link")
            continue
        try:
            yield from sorted(place.glob(FILES))
        except OSError as error:
            yield Odd(f"can't be read: {_why(error)}")


def _bytes(path: Path) -> bytes:
    """Of a plain file: a pipe would keep us waiting, a link leads who knows where."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise Odd("is no plain file")
        if about.st_size > LARGEST:
            raise Odd(f"is too large for a result: {about.st_size:,} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST)
    finally:
        os.close(descriptor)


def _unlike(name: str, learners: list[Learner]) -> str:
    """Two names may look the same once they can be printed."""
    taken = {one.name for one in learners}
    return next(one for one in (name, *(f"{name} ({n})" for n in range(2, len(taken) + 3))) if one not in taken)


def _as_in_a_list(name: str) -> tuple[str, str]:
    """As people look names up: Ümit beside Uma."""
    return unicodedata.normalize("NFKD", name).casefold(), name


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def as_json(learner: Learner) -> dict[str, Any]:
    """{"name", "results": [what was read of each NN.json, `started` in s since 1970 and `seconds` in s]}."""
    return {"name": learner.name, "results": [one.model_dump() for one in learner.results.values()]}
