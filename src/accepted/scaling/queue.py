"""A queue, its workers and an autoscaler, event by event: what a law would do with a load that nobody has to have.

It knows of the system only what is told: when jobs come, how long each takes, how long a worker takes to begin, how
often the autoscaler looks, and what the law answers. First come, first served; a job takes the slot that has been idle
the longest; who drains takes no more and goes when its last job is done.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from accepted.scaling.course import Point

Decide = Callable[[float, int, dict[str, Any] | None], int]  # (now, replicas, what is seen) → replicas
FIRST_GUESS = 1.0  # s of a job, as the system guesses before any has ended
MEMORY = 60.0  # s for which it remembers how long jobs took


@dataclass(frozen=True, slots=True)
class House:
    """`slots`: jobs at once in each replica. `boot`: seconds from a replica's start to its first job. `tick`: from look
    to look. `floor`: replicas that are there at the beginning, and that are never taken away."""

    floor: int
    cap: int
    slots: int
    boot: float
    tick: float


def simulate(
    jobs: Iterable[tuple[float, float]], decide: Decide, house: House, until: float,
    blind: tuple[float, float] | None = None,
) -> list[Point]:  # fmt: skip
    """`jobs`: (when it comes, seconds that it takes), in order of time. `until`: how long there are looks, at least;
    they go on while there is work. `blind`: from when to when nothing is seen. Returns a point for each look."""
    return _Run(iter(jobs), decide, house, until, blind).play()


class _Replica:
    __slots__ = ("born", "free", "leaving", "number")

    def __init__(self, number: int, born: float, slots: int) -> None:
        self.number, self.born, self.free, self.leaving = number, born, slots, False


class _Run:
    def __init__(
        self, jobs: Iterator[tuple[float, float]], decide: Decide, house: House, until: float,
        blind: tuple[float, float] | None,
    ) -> None:  # fmt: skip
        self.jobs, self.decide, self.house, self.until, self.blind = jobs, decide, house, until, blind
        self.queue: deque[tuple[float, float]] = deque()
        self.running = 0
        self.ended: deque[tuple[float, float]] = deque()  # (when, seconds) of late
        self.taken = 0.0  # seconds of `ended` together
        self.replicas = [_Replica(n, 0.0, house.slots) for n in range(house.floor)]
        self.born = count(house.floor)
        self.idle = deque(one for one in self.replicas for _ in range(house.slots))
        self.events: list[tuple[float, int, Literal["look", "boot", "done"], _Replica | None, float]] = []
        self.order = count()
        self.points: list[Point] = []

    def play(self) -> list[Point]:
        following = next(self.jobs, None)
        self._later(0.0, "look")
        while self.events:
            if following is not None and following[0] <= self.events[0][0]:
                self.queue.append(following)
                self._work(following[0])
                following = next(self.jobs, None)
                continue
            now, _, what, replica, seconds = heapq.heappop(self.events)
            if replica is None:
                self._look(now)
                if now < self.until or following is not None or self.queue or self.running:
                    self._later(now + self.house.tick, "look")
            elif what == "boot":
                if not replica.leaving:
                    self.idle.extend([replica] * self.house.slots)
            else:
                self._done(now, replica, seconds)
            self._work(now)
        return self.points

    def _later(
        self, at: float, what: Literal["look", "boot", "done"], replica: _Replica | None = None, seconds: float = 0.0
    ) -> None:
        heapq.heappush(self.events, (at, next(self.order), what, replica, seconds))

    def _work(self, now: float) -> None:
        while self.queue and self.idle:
            replica = self.idle.popleft()
            if replica.leaving:
                continue
            seconds = self.queue.popleft()[1]
            replica.free -= 1
            self.running += 1
            self._later(now + seconds, "done", replica, seconds)

    def _done(self, now: float, replica: _Replica, seconds: float) -> None:
        replica.free += 1
        self.running -= 1
        self.ended.append((now, seconds))
        self.taken += seconds
        if not replica.leaving:
            self.idle.append(replica)

    def _look(self, now: float) -> None:
        while self.ended and self.ended[0][0] < now - MEMORY:
            self.taken -= self.ended.popleft()[1]
        slots = self.house.slots
        self.replicas = [one for one in self.replicas if not one.leaving or one.free < slots]
        staying = [one for one in self.replicas if not one.leaving]
        oldest = now - self.queue[0][0] if self.queue else 0.0
        dark = self.blind is not None and self.blind[0] <= now < self.blind[1]
        service = self.taken / len(self.ended) if self.ended else FIRST_GUESS
        seen = {"waiting": len(self.queue), "oldest": oldest, "running": self.running, "service": service}
        wanted = self.decide(now, len(staying), None if dark else seen)
        room = self.house.cap - len(self.replicas)  # who goes still counts
        for _ in range(min(wanted - len(staying), room)):
            replica = _Replica(next(self.born), now, slots)
            self.replicas.append(replica)
            self._later(now + self.house.boot, "boot", replica)
        own = sorted(staying[self.house.floor :], key=lambda one: (-one.free, -one.born, -one.number))
        for replica in own[: max(0, len(staying) - wanted)]:
            replica.leaving = True
        there = [one for one in self.replicas if not one.leaving or one.free < slots]
        replicas = sum(not one.leaving for one in there)
        self.points.append(Point(now, replicas, len(there), len(self.queue), self.running, oldest))
