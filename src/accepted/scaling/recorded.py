"""A load run with an autoscaler, and the same work on a queue that is only reckoned: how far they are apart."""

import json
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accepted.load.bundle import read_lines
from accepted.scaling import course
from accepted.scaling.course import Point
from accepted.scaling.queue import Decide, House, simulate
from accepted.stack.errors import Problem

STEP = 0.25  # s from point to point of what was measured
WITHIN = 0.2  # as much as the two may be apart
Times = Sequence[tuple[float, float, float]]  # of each job: accepted, begun, over; seconds since zero


@dataclass(frozen=True)
class Recorded:
    """What a bundle tells. `points`: replicas as they were counted from outside. `limits`: as the law wants them."""

    name: str
    house: House
    limits: dict[str, float]
    jobs: Times
    points: list[Point]
    begins: float  # of the burst: the phase with the highest rate


@dataclass(frozen=True)
class Agreement:
    """`curve`: the area between the two curves of replicas, as a share of the area under the measured one. `recovery`:
    seconds from the burst's beginning until the oldest waiting job is inside the age for good."""

    curve: float
    measured: float | None
    simulated: float | None

    @property
    def recovery(self) -> float | None:
        """How far the two times are apart, as a share of the measured one."""
        if self.measured is None or self.simulated is None:
            return None
        return abs(self.simulated - self.measured) / self.measured if self.measured else float(self.simulated > 0)

    @property
    def holds(self) -> bool:
        return self.curve <= WITHIN and self.recovery is not None and self.recovery <= WITHIN


def read(folder: Path) -> Recorded:
    """Raises Problem where the bundle is of no run with an autoscaler."""
    try:
        told = json.loads((folder / "replicas.json").read_text())
        manifest = json.loads((folder / "manifest.json").read_text())
    except OSError as error:
        raise Problem(
            f"no replicas in {folder}", f"{Path(error.filename or '').name} is not there",
            "Make a run of a scenario with `scaler:`, such as: make load-burst-scaled",
        ) from error  # fmt: skip
    rows = read_lines(folder / "events.jsonl.gz")
    names = ("t_acc", "t_start", "t_over")
    jobs = sorted(tuple(float(row[name]) for name in names) for row in rows if all(row[n] is not None for n in names))
    house = House(**told["house"])
    begins, highest, at = 0.0, 0.0, 0.0
    for phase in manifest["scenario"]["phases"]:
        if phase["rate"] > highest:
            begins, highest = at, phase["rate"]
        at += phase["seconds"]
    times = [(job[0], job[1], job[2]) for job in jobs]
    points = measured(times, [(float(at), int(n)) for at, n in told["counts"]])
    return Recorded(folder.name, house, told["limits"], times, points, begins)


def measured(jobs: Times, counts: Sequence[tuple[float, int]]) -> list[Point]:
    """Points of what was seen: replicas by their changes, the queue by the jobs' own times."""
    end = max([counts[-1][0], *(job[2] for job in jobs)])
    found, n = [], 0
    for at in (k * STEP for k in range(int(end / STEP) + 1)):
        while n + 1 < len(counts) and counts[n + 1][0] <= at:
            n += 1
        waiting = [job[0] for job in jobs if job[0] <= at < job[1]]
        running = sum(job[1] <= at < job[2] for job in jobs)
        oldest = at - min(waiting) if waiting else 0.0
        found.append(Point(at, counts[n][1], counts[n][1], len(waiting), running, oldest))
    return found


def between(jobs: Times) -> float:
    """Seconds from a job's end to the next one's begin in the same slot, while others wait: the median. What a worker
    takes for taking, in other words, and the queue must not forget."""
    moments = sorted([(job[2], 0) for job in jobs] + [(job[1], 1) for job in jobs])
    free: deque[float] = deque()
    gaps, waits = [], sorted(job[0] for job in jobs)
    begun = 0
    for at, begins in moments:
        if not begins:
            free.append(at)
            continue
        if free:
            freed = free.popleft()
            if waits[begun] <= freed:  # it waited already when the slot became free
                gaps.append(at - freed)
        begun += 1
    return statistics.median(gaps) if gaps else 0.0


def again(recorded: Recorded, decide: Decide, times: int = 1) -> list[Point]:
    """The same work, by the same law, on the reckoned queue. `times`: so many times the jobs, on workers so many times
    the size."""
    gap = between(recorded.jobs)
    jobs = [(accepted, over - begun + gap) for accepted, begun, over in recorded.jobs for _ in range(times)]
    house = recorded.house
    if times > 1:
        house = House(house.floor, house.cap, house.slots * times, house.boot, house.tick)
    return simulate(jobs, decide, house, until=recorded.points[-1].at)


def agreement(recorded: Recorded, points: Sequence[Point]) -> Agreement:
    """Of the replicas that were there, those that drained among them, because these are what is seen from outside."""
    theirs = [Point(one.at, one.there, one.there) for one in points]
    age = recorded.limits["age"]

    def recovery(found: Sequence[Point]) -> float | None:
        later = [point for point in found if point.at >= recorded.begins]
        back = course.back_inside(later, age) if later else None
        return None if back is None else back - recorded.begins

    return Agreement(course.apart(theirs, recorded.points), recovery(recorded.points), recovery(points))


def table(recorded: Recorded, points: Sequence[Point], every: float = 2.0) -> list[dict[str, Any]]:
    """Both curves side by side, a row every so many seconds."""
    found, n = [], 0
    for one in recorded.points:
        if one.at % every:
            continue
        while n + 1 < len(points) and points[n + 1].at <= one.at:
            n += 1
        found.append({
            "at": one.at, "measured": one.replicas, "simulated": points[n].there, "waiting": one.waiting,
            "simulated_waiting": points[n].waiting, "oldest": round(one.oldest, 2),
            "simulated_oldest": round(points[n].oldest, 2),
        })  # fmt: skip
    return found
