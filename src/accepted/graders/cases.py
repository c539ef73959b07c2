"""Trees of which it is known what they must come to."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Self

from accepted.grade.engine import versions
from accepted.grade.exercise import Exercise
from accepted.graders.variants import variants
from accepted.ladder import REFERENCE, ROOT, START, compose, files

Kind = Literal["reference", "start", "prerequisites", "solved", "known-bad", "variant", "sunny"]
JUDGES = ("accepted/grade", "accepted/stack", "accepted/faults", "accepted/oracle", "accepted/partner",
          "accepted/store", "accepted/demo", "billing")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A tree against an exercise's checks; `sunny`: a known-bad against `accepted demo --sunny`.

    `name`: of the known-bad or variant. `fails`: the check that has to fail; None where all have to pass.
    `alone`: nothing else may fail, but what needs that check.
    """

    exercise: Exercise
    backend: str
    kind: Kind
    name: str = ""
    fails: str | None = None
    alone: bool = False

    @property
    def id(self) -> str:
        return "/".join(filter(None, (self.exercise.label, self.backend, self.kind, self.name)))

    @property
    def shown(self) -> str:
        return f"{self.kind} {self.name}".strip()

    @property
    def must(self) -> str:
        """What it has to come to, in words."""
        if self.kind == "sunny":
            return "holds on a sunny day"
        if self.fails is None:
            return "passes"
        return f"fails {self.fails}" + (", nothing else" if self.alone else "")

    def sunny(self) -> Self:
        """The same tree on a day on which nothing goes wrong."""
        return replace(self, kind="sunny", fails=None, alone=False)

    def tree(self, into: Path) -> Path:
        """Writes it into a folder that is not there yet. Raises Problem where a change does not fit any more."""
        if self.kind in ("known-bad", "sunny"):
            return self.exercise.known_bad(self.name, into)
        if self.kind == "variant":
            return variants()[self.name].tree(self.exercise, into)
        done = set(self.exercise.toml.prerequisites)
        if self.kind == "solved":
            done.add(self.exercise.toml.number)
        if self.kind in ("reference", "start"):  # where they stand: nothing writes there
            return REFERENCE if self.kind == "reference" else START
        return compose(into, done)


def cases(exercise: Exercise, backend: str, sunny: bool = False) -> Iterator[Case]:
    """All of an exercise on a backend; with `sunny` the known-bads on a sunny day as well."""
    toml = exercise.toml
    yield Case(exercise, backend, "reference")
    yield Case(exercise, backend, "start", fails=exercise.start_intended)
    if toml.prerequisites:  # else that is start
        yield Case(exercise, backend, "prerequisites", fails=toml.intended)
    yield Case(exercise, backend, "solved")
    for name, bad in toml.known_bad.items():
        if not bad.backends or backend in bad.backends:
            case = Case(exercise, backend, "known-bad", name, bad.fails, alone=True)
            yield case
            if sunny:
                yield case.sunny()
    for name, variant in variants().items():
        if variant.exercise == toml.number and (not variant.backends or backend in variant.backends):
            yield Case(exercise, backend, "variant", name)


def in_turns(cases: Sequence[Case]) -> list[Case]:
    """Each exercise's and backend's cases spread from the first to the last, so that those side by side are not of a
    kind.

    They then wait and compute at different times. Three of exercise 4 have their bursts at once, and find the machine
    too busy to judge by; three of exercise 7 wait for a minute together.
    """
    kinds: dict[tuple[int, str], list[Case]] = {}
    for case in cases:
        kinds.setdefault((case.exercise.toml.number, case.backend), []).append(case)
    spread = [(place / len(kind), case) for kind in kinds.values() for place, case in enumerate(kind)]
    return [case for _, case in sorted(spread, key=lambda each: each[0])]


def digest(case: Case, tree: Path) -> str:
    """Of all that the outcome may depend on: the tree, the exercise's checks, what judges them, and the libraries."""
    known = hashlib.sha256(judges(case.exercise).encode())
    known.update(repr(versions(case.backend)).encode())
    _add(known, tree, files(tree))
    return known.hexdigest()[:16]


def judges(exercise: Exercise) -> str:
    """Of the code that judges: the exercise's checks, and what of the kit they stand on."""
    known = hashlib.sha256(_kit().encode())
    _add(known, exercise.folder, [p for p in files(exercise.folder) if p.endswith(".py") or p == "exercise.toml"])
    return known.hexdigest()[:8]


@cache
def _kit() -> str:
    known = hashlib.sha256()
    _add(known, ROOT / "src" / "accepted", ["listening.py"])
    for name in JUDGES:
        _add(known, ROOT / "src" / name, [path for path in files(ROOT / "src" / name) if path.endswith(".py")])
    return known.hexdigest()


def _add(known: "hashlib._Hash", root: Path, paths: Collection[str]) -> None:
    for path in sorted(paths):
        known.update(path.encode() + b"\0" + (root / path).read_bytes() + b"\0")
