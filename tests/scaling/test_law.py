"""The law of the autoscaler: stories with their ends, and what holds whatever is seen."""

from dataclasses import replace
from itertools import pairwise

import pytest
from app.shared.autoscaler.core import History, Limits, Signals
from app.shared.autoscaler.law import needed, wanted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITS = Limits(floor=1, cap=8, slots=2, age=4, cooldown=10, step=2)
IDLE = Signals(waiting=0, oldest=0, running=0, service=0.5)

Story = list[tuple[float, Signals | None]]


def played(story: Story, replicas: int = 1, limits: Limits = LIMITS) -> list[int]:
    """What it decides at each look, where everybody obeys at once."""
    history, curve = History(), []
    for now, seen in story:
        decision, history = wanted(seen, replicas, now, limits, history)
        replicas = decision.replicas
        curve.append(replicas)
    return curve


def every(seconds: range, seen: Signals | None) -> Story:
    return [(float(second), seen) for second in seconds]


BURST = Signals(waiting=40, oldest=0, running=2, service=0.5)  # 2 + 40 × 0.5 / 4 = 7 slots
LATE = Signals(waiting=40, oldest=3, running=2, service=0.5)  # 2 + 40 × 0.5 / 1 = 22
LONG = Signals(waiting=0, oldest=0, running=7, service=60)
SLOW = Signals(waiting=3, oldest=0, running=2, service=60)  # more than one slot a job helps nobody: 5
EDGE = Signals(waiting=0, oldest=0, running=6, service=0.5)  # three replicas, with nothing to spare

STORIES: dict[str, tuple[Story, list[int]]] = {
    "nothing to do": (every(range(3), IDLE), [1, 1, 1]),
    "a burst is met at once, by as many as it takes": (every(range(2), BURST), [4, 4]),
    "the later it is, the more": ([(0, BURST), (1, LATE)], [4, 8]),
    "what is at work counts though nobody waits": (every(range(2), LONG), [4, 4]),
    "no more slots than jobs": (every(range(1), SLOW), [3]),
    "fewer, one at a time, after a whole cool-down": (
        [(0, BURST), *every(range(1, 18), IDLE)],
        [4] + [4] * 10 + [3, 3, 2, 2, 1, 1, 1],
    ),
    "a burst in the cool-down begins it anew": (
        [(0, BURST), *every(range(1, 9), IDLE), (9, BURST), *every(range(10, 21), IDLE)],
        [4] * 20 + [3],
    ),
    "a burst on the way down is met at once": (
        [(0, BURST), *every(range(1, 12), IDLE), (12, BURST)],
        [4] * 11 + [3, 4],
    ),
    "who would be busy all the time does not lose a colleague": ([(0, BURST), *every(range(1, 30), EDGE)], [4] * 30),
    "blind: nothing changes": ([(0, BURST), *every(range(1, 30), None)], [4] * 30),
    "who was blind looks for a whole cool-down before anybody goes": (
        [(0, BURST), (1, None), *every(range(20, 31), IDLE)],
        [4] * 12 + [3],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str) -> None:
    looks, curve = STORIES[story]
    assert played(looks) == curve


def test_a_new_leader_takes_nobody_away_before_it_has_looked_for_a_cool_down() -> None:
    assert played(every(range(12), IDLE), replicas=4) == [4] * 10 + [3, 3]


def test_a_lower_cap_holds_at_once_and_a_higher_floor_too() -> None:
    assert played(every(range(1), LONG), replicas=12) == [8]
    assert played(every(range(1), IDLE), limits=replace(LIMITS, floor=3)) == [3]


def test_the_reason_says_what_was_seen() -> None:
    decision, _ = wanted(BURST, 1, 0, LIMITS, History())
    assert decision.reason == "up: 40 waiting, the oldest for 0.0 s, 2 at work, 0.50 s each: 7.0 slots"


# -- whatever is seen; a busy machine's time is no finding

whatever = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

numbers = st.integers(0, 10**6)
seconds = st.floats(0, 10**5)
signals = st.builds(Signals, numbers, seconds, numbers, seconds)
limits = st.builds(
    Limits, floor=st.integers(0, 5), cap=st.integers(5, 50), slots=st.integers(1, 16), age=st.floats(0.1, 600),
    cooldown=st.floats(0, 600), step=st.floats(0, 60),
)  # fmt: skip
looks = st.lists(st.tuples(st.floats(0.01, 100), st.none() | signals), max_size=40)


def timed(looks: list[tuple[float, Signals | None]]) -> Story:
    now, story = 0.0, []
    for pause, seen in looks:
        now += pause
        story.append((now, seen))
    return story


@whatever
@given(looks, limits, st.integers(0, 60))
def test_never_past_the_cap_and_never_below_the_floor(looks: Story, limits: Limits, replicas: int) -> None:
    assert all(limits.floor <= one <= limits.cap for one in played(timed(looks), replicas, limits))


@whatever
@given(signals, signals, limits)
def test_never_fewer_for_more(one: Signals, other: Signals, limits: Limits) -> None:
    more = Signals(*(max(getattr(one, name), getattr(other, name)) for name in Signals.__slots__))
    assert needed(more, limits) >= max(needed(one, limits), needed(other, limits))
    ups = [wanted(seen, 0, 0, limits, History())[0].replicas for seen in (one, more)]
    assert ups == sorted(ups)


@whatever
@given(looks, limits)
def test_it_never_flaps(looks: Story, limits: Limits) -> None:
    """From up to down a cool-down passes, and a step from one that goes to the next; each time one goes, not more."""
    story = timed(looks)
    curve = played(story, limits.floor, limits)
    moves = [(now, new - old) for (now, _), (old, new) in zip(story[1:], pairwise(curve), strict=True) if new != old]
    if curve and curve[0] > limits.floor:
        moves.insert(0, (story[0][0], curve[0] - limits.floor))
    for (before, last), (now, move) in pairwise(moves):
        if move < 0:
            assert move == -1
            assert now - before >= (limits.cooldown if last > 0 else limits.step) - 1e-6


@whatever
@given(signals, limits, st.integers(0, 50), st.floats(0.1, 10))
def test_where_nothing_changes_it_goes_one_way_only(seen: Signals, limits: Limits, first: int, pause: float) -> None:
    curve = [first, *played([(pause * n, seen) for n in range(60)], first, limits)]
    steps = {new > old for old, new in pairwise(curve) if new != old}
    assert len(steps) <= 1


@whatever
@given(looks, limits, st.integers(0, 50))
def test_who_can_not_see_changes_nothing(looks: Story, limits: Limits, replicas: int) -> None:
    replicas = max(limits.floor, min(limits.cap, replicas))
    assert set(played([(now, None) for now, _ in timed(looks)], replicas, limits)) <= {replicas}
