"""The types that the autoscaler's parts speak in. Times are seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

POOLS = ("io", "cpu")


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one pool. A replica is a worker process of the pool, with `slots` jobs at once.

    `age`: how long the oldest ready job may wait. `cooldown`: how long fewer must have been enough before one goes.
    `step`: from one that goes to the next.
    """

    floor: int
    cap: int
    slots: int
    age: float
    cooldown: float
    step: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What is seen of one pool. `waiting`: jobs that a worker could take now. `oldest`: how long the first of them is
    ready. `running`: jobs that workers hold. `service`: how long one takes, on average."""

    waiting: int
    oldest: float
    running: int
    service: float


@dataclass(frozen=True, slots=True)
class History:
    """What the law remembers from one look to the next: `peaks`, the slots that were needed, as (when, how many), for
    as far back as the cool-down reaches; `since`, from when on it has seen anything; when it last went up, or down."""

    peaks: tuple[tuple[float, float], ...] = ()
    since: float | None = None
    up: float | None = None
    down: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How many replicas there should be, and why, for whoever reads the log."""

    replicas: int
    reason: str


class Unreachable(Exception):
    """What starts and stops workers does not answer."""


class Replicas(Protocol):
    """The workers of one pool that the autoscaler has started, and nobody else's. It never kills one that is busy.

    Every method may raise Unreachable.
    """

    def take_over(self) -> None:
        """This process leads from now on: what others left running is counted from here on."""

    def working(self) -> int:
        """How many work or start; who was told to go is none of them."""

    def leaving(self) -> int:
        """How many were told to go and are still there, for the job that they have at hand."""

    def start(self, count: int) -> int:
        """Begins so many more, or fewer where that can't be, and returns how many. Nobody waits for them here."""

    def drain(self, count: int, busy: Mapping[str, int]) -> None:
        """Tells so many to take no more jobs and to go when they are done, those with the least to do first.

        `busy`: how many jobs each worker holds, by its name HOST:PID.
        """

    def close(self, seconds: float) -> None:
        """The autoscaler ends: whoever would be left alone is told to go, and waited for, at most so long."""
