"""What is killed where: a case for each crossing and each kill. Pure."""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from accepted.faults.crossings import MODES, Class, Crossing, Mode, Target
from accepted.faults.strike import VICTIMS, Victim
from accepted.oracle.history import History
from accepted.oracle.verdict import Verdict

Outcome = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Point:
    """A crossing that every clean run of a kind comes to."""

    kind: str
    process: str
    service: str
    name: str
    ordinal: int
    waiting: bool = False

    @property
    def cls(self) -> Class:
        return self.process, self.service, self.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.process} → {self.service}: {self.name} #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Case:
    """One kill."""

    point: Point
    mode: Mode
    victim: Victim

    @property
    def target(self) -> Target:
        p = self.point
        return Target(p.process, p.service, p.name, p.ordinal, self.mode, p.waiting)

    def __str__(self) -> str:
        return f"{self.point}/{self.mode}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case. `history` and `crossings` are kept where it did not pass.

    `by_chance`: nothing was killed, because no run comes to this crossing any more, killed or clean.
    """

    case: str
    kind: str
    process: str
    verdict: Verdict
    seconds: float
    victim: str = ""
    killed: bool = False
    history: History | None = None
    crossings: tuple[Crossing, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    by_chance: bool = False

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome


def points(kind: str, runs: Sequence[Sequence[Crossing]], polled: Collection[Class]) -> list[Point]:
    """The crossings that all clean runs came to, in the order of the last.

    Of what an idle process does all the time the first stands for all: which of them a job meets is chance.
    """
    keys = [{(one.kind, one.ordinal) for one in run} for run in runs]
    always = set.intersection(*keys) if keys else set()
    found = []
    for one in runs[-1] if runs else ():
        often = one.kind in polled
        if (one.kind, one.ordinal) in always and (not often or one.ordinal == 1):
            found.append(Point(kind, *one.kind, one.ordinal, one.waiting and not often))
    return found


def full(found: Iterable[Point], trees: Collection[str]) -> list[Case]:
    """Three kills for each point. Where the process has a tree, its child, its parent and the whole take turns."""
    return [case_at(point, mode, trees) for point in found for mode in MODES]


def quick(found: Iterable[Point], trees: Collection[str]) -> list[Case]:
    """One kill for each class of crossing, the modes taking turns."""
    chosen: dict[Class, Point] = {}
    for point in found:
        chosen.setdefault(point.cls, point)
    return [case_at(point, MODES[n % 3], trees) for n, point in enumerate(chosen.values())]


def case_at(point: Point, mode: Mode, trees: Collection[str]) -> Case:
    """The victim follows from the crossing's name, so that one replayed alone is killed the same way."""
    turn = zlib.crc32(f"{point.process}{point.service}{point.name}".encode()) + point.ordinal + MODES.index(mode)
    return Case(point, mode, VICTIMS[turn % 3] if point.process in trees else "child")


def matching(cases: Iterable[Case], only: Sequence[str]) -> list[Case]:
    """Those whose name begins with one of `only`, or is it."""
    return [case for case in cases if not only or any(_fits(str(case), part) for part in only)]


def _fits(name: str, part: str) -> bool:
    return (
        name == part or name.startswith((part + "/", part + " ")) or (part.endswith("*") and name.startswith(part[:-1]))
    )


@dataclass(frozen=True, slots=True)
class Chance:
    """A kill so many seconds after the request was sent."""

    kind: str
    process: str
    victim: Victim
    after: float

    def __str__(self) -> str:
        return f"random/{self.kind}/{self.process}/{self.victim}/{self.after:.3f}"


def chances(number: int, seed: int, kinds: Sequence[str], trees: Collection[str], all_: Sequence[str]) -> list[Chance]:
    """Drawn from the seed. A process of no tree has no parent to kill but itself."""
    rng = Random(seed)
    found = []
    for _ in range(number):
        process = rng.choice(all_)
        victim = rng.choice(VICTIMS)
        found.append(Chance(rng.choice(kinds), process, victim if process in trees else "child", rng.uniform(0, 1.2)))
    return found


def chance(name: str) -> Chance:
    """From its name. Raises ValueError."""
    _, kind, process, victim, after = name.split("/")
    if victim not in VICTIMS:
        raise ValueError(f"{victim!r} is none of {', '.join(VICTIMS)}")
    return Chance(kind, process, victim, float(after))


def counted(results: Iterable[Result]) -> Mapping[tuple[str, str], list[Result]]:
    """By kind and process, in order of appearance."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        groups.setdefault((one.kind, one.process), []).append(one)
    return groups
