"""Exercise 4 judges waits by a ledger, in which a job that had to queue looks like one that waited.

Forty webhooks are refused four times each, by the clock of a pool of four workers that need so long for a job.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from accepted.grade.verdict import Broken, Unknown
from tests.grade.beside import modules

WORKERS, HOOKS, ATTEMPTS = 4, 40, 5
Draw = Callable[[Random, int], float]
Late = Callable[[float], float]


def full_jitter(rng: Random, attempt: int) -> float:
    return rng.uniform(0, no_jitter(rng, attempt))


def whole_seconds(rng: Random, attempt: int) -> float:
    return round(full_jitter(rng, attempt))


def half_jitter(rng: Random, attempt: int) -> float:
    return no_jitter(rng, attempt) * rng.uniform(0.5, 1)


def no_cap(rng: Random, attempt: int) -> float:
    return rng.uniform(0, 2.0 ** (attempt - 1))


def never_grows(rng: Random, attempt: int) -> float:
    return rng.uniform(0, 1)


def no_wait(rng: Random, attempt: int) -> float:
    return 0.0


def no_jitter(rng: Random, attempt: int) -> float:
    return min(4.0, 2.0 ** (attempt - 1))


def in_time(at: float) -> float:
    return 0.0


def stalls(at: float) -> float:
    return 2.0 if 9 <= at < 11 else 0.0


@pytest.fixture(scope="module")
def exercise() -> Iterator[SimpleNamespace]:
    with modules(4) as found:
        yield found


def judged(
    exercise: SimpleNamespace,
    check: str,
    draw: Draw,
    seconds: float,
    late: Late = in_time,
    since: float = 0.0,
    stalled: float = 0.0,
    probed: bool = True,
    in_line: Mapping[int, Sequence[float]] | None = None,
) -> str:
    """What the check says of the ledger that `draw` makes, each job taking a worker so many seconds (before `since`:
    20 ms), and a probe being so `late` besides, by the second at which it is sent."""
    scene, checks = played(exercise, draw, seconds, late, since), exercise.checks
    scene.stalled, scene.in_line, scene.lags = stalled, in_line or {}, scene.lags if probed else []
    stage = SimpleNamespace(played=lambda act: scene if act is checks.burst else act(stage))
    try:
        getattr(checks, f"check_{check}")(stage)
    except Broken:
        return "fail"
    except Unknown:
        return "unknown"
    return "pass"


def played(exercise: SimpleNamespace, draw: Draw, seconds: float, late: Late, since: float) -> Any:
    rng = Random(7)
    due = [(0.0, number, 1) for number in range(HOOKS)] + [(float(at), HOOKS + at, 1) for at in range(1, 16)]
    free = [0.0] * WORKERS
    heapq.heapify(due)
    calls: dict[str, list[dict[str, Any]]] = {}
    lags = []
    while due:
        ready, number, attempt = heapq.heappop(due)
        at = max(ready, heapq.heappop(free))
        heapq.heappush(free, at + (seconds if at >= since else 0.02))
        if number >= HOOKS:
            lags.append(exercise.probes.Lag(ready, at - ready + late(ready)))
            continue
        calls.setdefault(f"acme:webhook:{number}", []).append(
            {"op": "hook", "key": str(number), "at": at, "ended": at + 0.01, "status": 503}
        )
        if attempt < ATTEMPTS:
            heapq.heappush(due, (at + 0.01 + draw(rng, attempt), number, attempt + 1))
    return exercise.play.Burst([], calls, HOOKS, True, lags)


@pytest.mark.parametrize(
    ("check", "draw"),
    [("spaced", no_wait), ("spaced", never_grows), ("spread", no_jitter), ("spread", half_jitter),
     ("wait_is_capped", no_cap)],
)  # fmt: skip
def test_a_machine_with_time_tells_right_from_wrong(exercise: SimpleNamespace, check: str, draw: Draw) -> None:
    for right in (full_jitter, whole_seconds):
        assert judged(exercise, check, right, 0.02) == "pass"
    assert judged(exercise, check, draw, 0.02) == "fail"


def test_a_scheduler_that_is_late_makes_no_wait_grow(exercise: SimpleNamespace) -> None:
    assert judged(exercise, "spaced", lambda rng, attempt: full_jitter(rng, attempt) + 0.7, 0.02) == "pass"
    assert judged(exercise, "spaced", lambda rng, attempt: never_grows(rng, attempt) + 0.7, 0.02) == "fail"


def test_a_scheduler_that_ticks_by_the_second_lengthens_short_waits_and_hides_no_growth(
    exercise: SimpleNamespace,
) -> None:
    """RQ's: what is due is looked for once a second, and a wait of less is one of a second."""

    def ticks(draw: Draw) -> Draw:
        return lambda rng, attempt: max(1.0, float(int(draw(rng, attempt)))) - 0.1

    assert judged(exercise, "spaced", ticks(full_jitter), 0.02) == "pass"
    assert judged(exercise, "spaced", ticks(never_grows), 0.02) == "fail"
    assert judged(exercise, "spread", ticks(full_jitter), 0.02) == "pass"
    assert judged(exercise, "spread", ticks(half_jitter), 0.02) == "fail"


def test_a_machine_that_stalls_for_one_attempt_spreads_nothing(exercise: SimpleNamespace) -> None:
    def overtaken(rng: Random, attempt: int) -> float:
        return no_jitter(rng, attempt) * rng.uniform(0.9, 1) + (1.45 if attempt == 4 else 0.0)

    assert judged(exercise, "spread", overtaken, 0.02) == "fail"


def test_who_seems_to_be_wrong_while_the_machine_stalls_is_given_the_doubt(exercise: SimpleNamespace) -> None:
    assert judged(exercise, "wait_is_capped", no_cap, 0.02, stalls) == "unknown"
    assert judged(exercise, "wait_is_capped", no_jitter, 0.25, since=9) == "unknown", "a herd that stands in line"
    assert judged(exercise, "wait_is_capped", full_jitter, 0.02, stalls) == "pass"


@pytest.mark.parametrize("check", ["spaced", "spread", "wait_is_capped"])
def test_on_a_busy_machine_nobody_is_judged_by_how_long_he_queued(exercise: SimpleNamespace, check: str) -> None:
    for draw in (full_jitter, no_jitter):
        assert judged(exercise, check, draw, 0.5) == "unknown"


def test_waits_that_are_too_short_are_wrong_on_a_busy_machine_too(exercise: SimpleNamespace) -> None:
    assert judged(exercise, "spaced", no_wait, 0.02, late=lambda at: 2.0) == "fail", "lag can but lengthen what is seen"
    assert judged(exercise, "spaced", full_jitter, 0.02, late=lambda at: 2.0) == "unknown"


def test_a_scheduler_that_stands_still_while_probes_pass_it_by_is_no_wait_without_a_cap(
    exercise: SimpleNamespace,
) -> None:
    """What is due waits for whoever looks for it; a probe is due at once."""

    def overtaken(rng: Random, attempt: int) -> float:
        return full_jitter(rng, attempt) + (4.0 if attempt == 4 else 0.0)

    assert judged(exercise, "wait_is_capped", overtaken, 0.02, stalled=4.0) == "unknown"
    assert judged(exercise, "wait_is_capped", overtaken, 0.02) == "fail", "where nothing stood still it is the tree's"


def test_a_herd_that_stands_in_line_between_two_probes_is_no_wait_without_a_cap(exercise: SimpleNamespace) -> None:
    """Forty come due at once, and none of the probes did meanwhile; how long they lay queued, their own events tell."""

    def in_line(rng: Random, attempt: int) -> float:
        return no_jitter(rng, attempt) + (rng.uniform(0, 7) if attempt == 4 else 0.0)

    assert judged(exercise, "wait_is_capped", in_line, 0.02, in_line={4: [7.0]}) == "unknown"
    assert judged(exercise, "wait_is_capped", in_line, 0.02, in_line={4: [0.4]}) == "fail", "nobody was in line so long"
    assert judged(exercise, "wait_is_capped", no_cap, 0.02, in_line={4: [0.4]}) == "fail"


def test_a_herd_that_stands_in_line_spreads_nothing(exercise: SimpleNamespace) -> None:
    """All come due at once, and four workers take a while for forty: the ledger has them evenly over three seconds."""

    def lined_up(draw: Draw, seconds: float) -> Draw:
        return lambda rng, attempt: draw(rng, attempt) + rng.uniform(0, seconds)

    def of(seconds: float) -> dict[int, list[float]]:
        return {attempt: [seconds * n / HOOKS for n in range(HOOKS)] for attempt in (3, 4)}

    assert judged(exercise, "spread", lined_up(no_jitter, 3), 0.02, in_line=of(3)) == "unknown"
    assert judged(exercise, "spread", lined_up(no_jitter, 1), 0.02, in_line=of(1)) == "fail", "too even on any machine"
    assert judged(exercise, "spread", lined_up(full_jitter, 1), 0.02, in_line=of(1)) == "pass"


def test_only_a_retry_that_lay_there_for_a_worker_was_held_up(exercise: SimpleNamespace, postgres_url: str) -> None:
    way = "INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message, at)"
    way += " VALUES (%s, %s, 'acme', %s, 0, '', to_timestamp(%s))"
    told = {
        "waited its turn": [("running", 0), ("retrying", 1), ("queued", 5), ("running", 5.2)],
        "held up": [
            ("running", 0),
            ("retrying", 1),
            ("queued", 5),
            ("running", 8),
            ("retrying", 9),
            ("queued", 12),
            ("running", 19),
            ("retrying", 20),
            ("queued", 21),
        ],
        "new": [("queued", 0), ("running", 30)],
        "its worker was lost": [("running", 0), ("queued", 10), ("running", 40)],
    }
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # events of jobs that are not there
        stage = SimpleNamespace(value=lambda statement: connection.execute(statement).fetchone()[0])
        assert exercise.probes.in_line(stage) == {}
        for events in told.values():
            job = uuid4()
            for seq, (state, at) in enumerate(events, 1):
                connection.execute(way, (job, seq, state, at))
        found = exercise.probes.in_line(stage)
        assert {attempt: sorted(seconds) for attempt, seconds in found.items()} == {1: [0.2, 3], 2: [7]}


def test_where_nothing_tells_how_busy_the_machine_is_nobody_passes(exercise: SimpleNamespace) -> None:
    assert judged(exercise, "spaced", full_jitter, 0.02, probed=False) == "unknown"
    assert judged(exercise, "spaced", no_wait, 0.02, probed=False) == "fail", "too short on any machine"
