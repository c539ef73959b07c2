"""How many replicas there were, and what they had to do, moment by moment: measured or simulated, it reads the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Point:
    """`at`: seconds. `replicas`: those that should work, the floor's included. `there`: with those that are still to
    go. `waiting`, `running`: jobs. `oldest`: seconds that the first in the queue has waited."""

    at: float
    replicas: int
    there: int
    waiting: int = 0
    running: int = 0
    oldest: float = 0.0


def turns(points: Iterable[Point]) -> int:
    """How often it went up after it had gone down, or down after up: once is a burst, more is flapping."""
    ways = [after.replicas > before.replicas for before, after in pairwise(points) if after.replicas != before.replicas]
    return sum(one != other for one, other in pairwise(ways))


def back_inside(points: Sequence[Point], age: float) -> float | None:
    """When the oldest job was inside `age` for good; None where it was not, at the end."""
    late = [n for n, point in enumerate(points) if point.oldest > age]
    if not late:
        return points[0].at
    return points[late[-1] + 1].at if late[-1] + 1 < len(points) else None


def falls(points: Sequence[Point]) -> list[tuple[float, int]]:
    """Each time that it went down: when, and by how many."""
    return [
        (after.at, before.replicas - after.replicas)
        for before, after in pairwise(points)
        if after.replicas < before.replicas
    ]


def replica_seconds(points: Sequence[Point]) -> float:
    """What it cost."""
    return sum(before.replicas * (after.at - before.at) for before, after in pairwise(points))


def apart(one: Sequence[Point], other: Sequence[Point], step: float = 0.25) -> float:
    """The area between two curves of replicas, as a share of the area under the second. Both begin at their 0; where
    one is over, it stays as it ended."""
    end = max(one[-1].at, other[-1].at)
    moments = [n * step for n in range(int(end / step) + 1)]
    ours, theirs = _curve(one, moments), _curve(other, moments)
    return sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / max(1, sum(theirs))


def _curve(points: Sequence[Point], moments: Sequence[float]) -> list[int]:
    found, at = [], 0
    for moment in moments:
        while at + 1 < len(points) and points[at + 1].at <= moment:
            at += 1
        found.append(points[at].replicas)
    return found
