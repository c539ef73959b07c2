"""The simulated queue: worked out on paper, and against what is known of queues."""

from random import Random

import pytest
from app.shared.autoscaler.core import History, Limits, Signals
from app.shared.autoscaler.law import wanted

from accepted.scaling import course, traces
from accepted.scaling.course import Point
from accepted.scaling.queue import Decide, House, simulate


def fixed(replicas: int) -> Decide:
    return lambda now, there, seen: replicas


def lawful(limits: Limits) -> Decide:
    history = History()

    def decide(now: float, there: int, seen: dict[str, float] | None) -> int:
        nonlocal history
        signals = None if seen is None else Signals(**seen)  # type: ignore[arg-type]
        decision, history = wanted(signals, there, now, limits, history)
        return decision.replicas

    return decide


def test_on_paper_one_slot_three_jobs() -> None:
    points = simulate([(0.0, 1.0), (0.1, 1.0), (0.2, 1.0)], fixed(1), House(1, 1, 1, 0, 0.5), until=0)
    assert [point.running for point in points] == [1, 1, 1, 1, 1, 1, 0]
    assert [point.waiting for point in points] == [0, 2, 1, 1, 0, 0, 0]
    assert points[-1].at == 3.0


def test_a_replica_takes_its_first_job_when_it_has_begun() -> None:
    points = simulate([(0.0, 1.0)] * 4, fixed(2), House(1, 2, 1, boot=1.5, tick=0.5), until=0)
    # One works from 0, the other from 1.5: 4 jobs are over at 3.0 (0-1, 1-2, 2-3) and 2.5.
    assert points[-1].at == 3.0


def test_utilisation_is_what_littles_law_says() -> None:
    rng = Random(1)
    jobs = traces.arrivals(lambda at: 20, 600, 0.2, rng, 20)
    points = simulate(jobs, fixed(2), House(2, 2, 4, 0, 0.5), until=600)
    busy = sum(point.running for point in points) / len(points)
    assert busy == pytest.approx(20 * 0.2, rel=0.1)


def test_the_law_brings_a_burst_back_and_goes_home_a_thousand_times_over() -> None:
    load, slots = 1000, 100  # 25,000 jobs/s for 2 s, 0.2 s each
    jobs = list(traces.times([(n * 0.04, 0.2) for n in range(50)], load, Random(2)))
    limits = Limits(floor=1, cap=50, slots=slots, age=2, cooldown=10, step=1)
    points = simulate(jobs, lawful(limits), House(1, 50, slots, 1, 0.5), until=70)
    back = course.back_inside(points, limits.age)
    assert len(jobs) == 50_000
    assert back is not None and back < 6  # 50 replicas take 2 s for all of it, from their first second on
    assert course.turns(points) == 1
    assert max(point.there for point in points) == limits.cap
    assert points[-1].replicas == limits.floor
    first, last = course.falls(points)[0], course.falls(points)[-1]
    assert {by for _, by in course.falls(points)} == {1}
    assert first[0] >= limits.cooldown and last[0] - first[0] >= 48 * limits.step


def test_who_goes_ends_its_job_and_counts_until_then() -> None:
    def decide(now: float, there: int, seen: dict[str, float] | None) -> int:
        return 2 if now < 1 else 1

    points = simulate([(0.0, 5.0), (0.0, 5.0)], decide, House(1, 2, 1, 0, 1), until=7)
    assert [point.replicas for point in points] == [2, 1, 1, 1, 1, 1, 1, 1]
    assert [point.there for point in points] == [2, 2, 2, 2, 2, 1, 1, 1]


def test_turns_and_areas() -> None:
    up_and_down = [Point(0, 1, 1), Point(1, 3, 3), Point(3, 1, 1), Point(4, 1, 1)]
    flapping = [Point(float(n), 1 + n % 2, 1) for n in range(6)]
    assert course.turns(up_and_down) == 1
    assert course.turns(flapping) == 4
    assert course.falls(up_and_down) == [(3, 2)]
    assert course.replica_seconds(up_and_down) == 1 + 6 + 1
    assert course.apart(up_and_down, up_and_down) == 0
    later = [Point(0, 1, 1), Point(2, 3, 3), Point(4, 1, 1)]
    assert course.apart(later, up_and_down, step=1) == pytest.approx((2 + 2) / 9)
