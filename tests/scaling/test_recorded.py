"""A run's replicas and jobs as they are read back, and how far the reckoned queue is from them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accepted.load import scenario
from accepted.load.account import Row
from accepted.scaling.asking import Law
from accepted.scaling.course import Point
from accepted.scaling.keeping import boot
from accepted.scaling.queue import House
from accepted.scaling.recorded import Agreement, Recorded, again, agreement, between, measured
from accepted.stack.errors import Problem

LOADTESTS = Path(__file__).resolve().parents[2] / "loadtests"
HOUSE = House(floor=1, cap=2, slots=1, boot=1.0, tick=0.5)
LIMITS = {"floor": 1, "cap": 2, "slots": 1, "age": 2.0, "cooldown": 5.0, "step": 1.0}
# Ten jobs of 0.9 s at once on one worker, which takes 0.1 s to take the next.
JOBS = [(0.0, n * 1.0, n * 1.0 + 0.9) for n in range(10)]


def one_worker(now: float, replicas: int, seen: object) -> int:
    return 1


def two_workers(now: float, replicas: int, seen: object) -> int:
    return 2


@pytest.fixture
def recorded() -> Recorded:
    return Recorded("a run", HOUSE, LIMITS, JOBS, measured(JOBS, [(0.0, 1), (10.0, 1)]), begins=0.0)


def test_what_was_measured_is_read_off_the_jobs_own_times() -> None:
    points = {point.at: point for point in measured(JOBS, [(0.0, 1), (2.0, 3)])}
    assert points[1.5] == Point(1.5, 1, 1, waiting=8, running=1, oldest=1.5)
    assert points[2.0].replicas == 3
    assert points[9.5].waiting == 0


def test_a_worker_needs_time_to_take_the_next_job_which_only_shows_while_others_wait() -> None:
    assert between(JOBS) == pytest.approx(0.1)
    assert between([(n * 5.0, n * 5.0, n * 5.0 + 1) for n in range(4)]) == 0.0


def test_the_same_number_of_workers_comes_to_the_same_end(recorded: Recorded) -> None:
    found = agreement(recorded, again(recorded, one_worker))
    assert found.holds
    assert found.curve == 0.0
    assert found.measured == pytest.approx(9.0, abs=0.5)
    assert found.simulated == pytest.approx(9.0, abs=0.6)


def test_another_number_of_workers_does_not(recorded: Recorded) -> None:
    found = agreement(recorded, again(recorded, two_workers))
    assert not found.holds
    assert found.curve == pytest.approx(1.0, abs=0.1)
    assert found.simulated is not None and found.simulated < 7


def test_a_thousand_times_the_load_on_workers_a_thousand_times_the_size_is_the_same_curve(recorded: Recorded) -> None:
    once, often = again(recorded, one_worker), again(recorded, one_worker, times=1000)
    assert [point.waiting * 1000 for point in once] == [point.waiting for point in often]


class Seen:
    """A watch that has counted already."""

    def __init__(self, born: list[float], counts: list[int]) -> None:
        self.known = dict(enumerate(born))
        self.counts = [(float(at), n) for at, n in enumerate(counts)]


def test_a_replica_that_waits_for_work_says_nothing_of_how_long_one_takes_to_begin() -> None:
    # The first comes at 0 and has nothing to do until 10, when three more are called: these are at work after a second.
    def rows(*begun: float) -> list[Row]:
        return [
            Row(n, "burst", "email.send", "acme", "done", None, at, t_start=at, t_over=at + 5)
            for n, at in enumerate(begun)
        ]

    work = rows(9.5, 10.0, 11.0, 11.1, 11.2)
    watch: Any = Seen([0.0, 10.1, 10.1, 10.1], [1, 1, 1, 1, 4, 4])
    assert boot(watch, work, floor=1, slots=1) == pytest.approx(1.05)
    assert boot(watch, [], floor=1, slots=1) == 0.0
    # Who comes after others have left has slots behind it that nobody has any more.
    again: Any = Seen([0.0, 50.0], [1, 1, 0, 0, 1])
    assert boot(again, rows(1.0, 1.5, 60.0, 60.0, 60.0), floor=1, slots=1) == pytest.approx(1.5)


def test_a_law_is_asked_in_the_kit_s_own_python_whatever_else_is_on_the_path() -> None:
    tree = LOADTESTS.parent / "solutions"
    env = {**os.environ, "TREE": str(tree), "IO_SLOTS": "1", "PATH": "/usr/bin:/bin"}
    with Law(tree, env, LOADTESTS.parent) as law:
        law.limits(LIMITS)
        assert law(0.0, 1, None) == 1


def test_a_lag_that_never_came_back_is_no_agreement() -> None:
    assert not Agreement(curve=0.0, measured=None, simulated=3.0).holds
    assert not Agreement(curve=0.3, measured=3.0, simulated=3.0).holds
    assert Agreement(curve=0.1, measured=3.0, simulated=3.5).holds


def test_a_scenario_s_scaler_becomes_settings(tmp_path: Path) -> None:
    settings = scenario.load(LOADTESTS, "burst-scaled").settings
    wanted = {"AUTOSCALE": "local", "IO_FLOOR": "1", "IO_CAP": "4", "AUTOSCALE_AGE": "5", "AUTOSCALE_TICK": "0.5"}
    assert wanted.items() <= settings.items()
    assert "AUTOSCALE" not in scenario.load(LOADTESTS, "burst").settings
    text = (LOADTESTS / "scenarios" / "burst-scaled.yaml").read_text().replace("io: [1, 4]", "io: [4, 1]")
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(Problem, match="a floor of 4 is above a cap of 1"):
        scenario.load(LOADTESTS, str(tmp_path / "wrong.yaml"))


def test_the_house_of_a_longer_boot_comes_later(recorded: Recorded) -> None:
    slow = replace(recorded, house=replace(HOUSE, boot=4.0))
    quick, late = agreement(recorded, again(recorded, two_workers)), agreement(slow, again(slow, two_workers))
    assert quick.simulated is not None and late.simulated is not None
    assert quick.simulated < late.simulated
