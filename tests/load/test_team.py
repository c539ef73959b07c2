"""Locust distributed: the workers share the arrivals, and one that is lost takes the run with it."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from accepted.load.aside import serving
from accepted.load.driving import Generator
from accepted.load.plan import Objects, Planned, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.stack.errors import Problem
from accepted.stack.processes import gone, until


def wanted(rate: float, seconds: float) -> list[Planned]:
    scenario = Scenario("try", "", (Work("noop", 1),), (Phase("steady", seconds, rate),), arrivals="constant")
    return plan(arrivals(scenario), {"acme": Objects("t", [], [1])}, "team")


def test_two_workers_send_every_arrival_once_and_are_gone_with_their_lead(tmp_path: Path) -> None:
    with serving("bare") as host, Generator(tmp_path, host, wanted(20, 2), 30, workers=2) as generator:
        team = psutil.Process(generator.pid).children()
        assert len(team) == 2
        generator.go(time.time() + 0.5)
        assert generator.listen(90)
        assert sorted(line["n"] for line in generator.lines()) == list(range(40))
        assert generator.told["answered"] == generator.told["locust"]["requests"] == 40
    assert until(lambda: all(map(gone, team)), 20)


def test_a_worker_that_is_lost_is_the_end_of_the_run(tmp_path: Path) -> None:
    with serving("bare") as host, Generator(tmp_path, host, wanted(5, 120), 30, workers=2) as generator:
        team = psutil.Process(generator.pid).children()
        generator.go(time.time())
        os.kill(team[0].pid, signal.SIGKILL)
        with pytest.raises(Problem, match="load generator died") as told:
            generator.listen(60)
        assert "a Locust worker was lost" in "".join(told.value.details)
    assert until(lambda: all(map(gone, team)), 20)
