"""Case after case on one stage, real: none begins before the one before is over and everybody is up again."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from accepted.faults.strike import kill_now
from accepted.oracle.reader import ended
from accepted.oracle.verdict import Verdict
from accepted.sweep.cases import Case, Chance, Point, Result
from accepted.sweep.lane import MOST_TRIES, TRIES, Lane
from accepted.sweep.stage import Stage, mostly
from accepted.sweep.sweep import Crew, Found, Plan

TREE = Path(__file__).resolve().parents[2] / "solutions"
KILL = Chance("payout.send", "relay", "child", 0.0)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(TREE, "rq") as stage:
        yield stage


def test_a_blocking_wait_that_ends_now_and_then_is_a_wait_all_the_same() -> None:
    samples = [Counter({"BLPOP": 2})] * 6 + [Counter({"BLPOP": 1, "HSET": 1})] * 2 + [Counter[str]()]
    assert mostly(samples) == Counter({"BLPOP": 2})


def test_nothing_is_at_rest_before_a_worker_that_was_killed_waits_for_work_again(stage: Stage) -> None:
    def waits() -> bool:
        return "redis: BLPOP" in stage.proxies.waiting("worker-io")

    assert stage.settle()
    assert waits()
    assert kill_now(stage.stack.runner, "worker-io", "child", time.time()).dead
    gone, deadline = False, time.monotonic() + 60
    while not (gone and waits()) and time.monotonic() < deadline:
        before, at_rest, after = waits(), stage.restless() is None, waits()
        gone |= not after
        assert before or after or not at_rest
    assert gone
    assert waits()


def test_a_case_is_not_left_before_its_job_is_over_and_the_next_is_not_charged_for_it(stage: Stage) -> None:
    hasty = Lane(stage, drain=0.01)
    assert hasty.run_at_random(KILL).outcome == "unknown"
    assert ended(stage.client.http, [one.job for one in hasty.asked if one.job])
    assert not hasty.spoiled
    assert Lane(stage).run_at_random(KILL).outcome == "pass"


def test_where_a_job_is_never_over_the_next_case_has_a_fresh_stage(stage: Stage) -> None:
    hasty, found = Lane(stage, drain=0.01, overdue=0.5), Found()
    plan = Plan(TREE, "rq")
    with Crew(plan, found, lambda result, done, of: None) as crew:
        crew.begin([KILL, KILL])
        stage.stack.runner.freeze("worker-io")
        try:
            crew.work_off(hasty)
            assert hasty.spoiled
            assert [one.outcome for one in found.results] == ["unknown"]
            crew.go_on(stage.idle)
        finally:
            stage.stack.runner.thaw("worker-io")
    assert [one.outcome for one in found.results] == ["unknown", "pass"]


class Timed(Lane):
    """A crossing that the run of that number comes to, and whether clean runs do."""

    def __init__(self, stage: Stage, reached: int, clean: bool) -> None:
        super().__init__(stage)
        self.reached, self.clean, self.runs = reached, clean, 0

    def _once(self, case: Case, began: float, fresh: bool) -> Result:
        self.runs += 1
        killed = self.runs == self.reached
        verdict = Verdict() if killed else Verdict(unknown="the crossing was not reached")
        return Result(str(case), "payout.send", "relay", verdict, 0.0, killed=killed)

    def _comes_to(self, point: Point) -> bool:
        return self.clean


@pytest.mark.parametrize(
    ("reached", "clean", "outcome", "by_chance", "runs"),
    [
        (2, False, "pass", False, 2),
        (TRIES + 2, True, "pass", False, TRIES + 2),
        (TRIES + 2, False, "unknown", True, TRIES),
        (MOST_TRIES + 1, True, "unknown", False, MOST_TRIES),
    ],
)
def test_a_timer_that_goes_off_in_some_runs_is_waited_for_as_long_as_clean_runs_hear_it(
    stage: Stage, reached: int, clean: bool, outcome: str, by_chance: bool, runs: int
) -> None:
    lane = Timed(stage, reached, clean)
    found = lane.run(Case(Point("payout.send", "relay", "postgres", "renew the lease", 1), "before", "child"))
    assert (found.outcome, found.by_chance, lane.runs) == (outcome, by_chance, runs)
