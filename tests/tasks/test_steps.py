"""Long work in durable steps."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from app.shared import steps
from app.shared.core import LostLease, NotYet
from app.shared.steps import Step
from sqlalchemy import text

from billing.db import unit

from .conftest import World


def counting(ran: list[str], name: str, then: Callable[[], None] = lambda: None) -> Step:
    def work() -> dict[str, Any]:
        ran.append(name)
        then()
        return {"made_by": name}

    return Step(name, work, f"{name} is done")


def stop() -> None:
    raise RuntimeError("the worker dies here")


def test_after_a_crash_no_finished_step_runs_again_and_its_output_is_still_there(world: World) -> None:
    job, ran = world.job("noop", {}, "noop:1"), list[str]()
    first = world.claim(job)
    with pytest.raises(RuntimeError):
        steps.run(first, [counting(ran, "query"), counting(ran, "render:1"), counting(ran, "render:2", stop)])
    second = world.taken_over(first)
    outputs = steps.run(second, [counting(ran, name) for name in ("query", "render:1", "render:2")])
    assert ran == ["query", "render:1", "render:2", "render:2"]
    assert outputs == {name: {"made_by": name} for name in ("query", "render:1", "render:2")}


def test_a_frozen_worker_that_wakes_in_a_step_records_neither_the_step_nor_progress(world: World) -> None:
    job, ran = world.job("noop", {}, "noop:1"), list[str]()
    frozen = world.claim(job)
    wrote: list[int] = []
    step = Step("query", lambda: {"of": "the past"}, commit=lambda s, out: wrote.append(1))
    world.taken_over(frozen)
    before = world.view(job.id)
    with pytest.raises(LostLease):
        steps.run(frozen, [step, counting(ran, "render:1")])
    with unit() as s:
        assert steps.view(s, job.id) == []
    assert world.view(job.id) == before
    assert (wrote, ran) == ([], [])


def test_what_a_step_commits_is_written_with_the_step_or_not_at_all(world: World) -> None:
    claim = world.claim(world.job("noop", {}, "noop:1"))
    insert = text("INSERT INTO audit (actor, action, target) VALUES ('a', 'b', 'c')")

    def write_then_die(s: Any, _: Any) -> None:
        s.execute(insert)
        stop()

    with pytest.raises(RuntimeError):
        steps.run(claim, [Step("query", dict, commit=write_then_die)])
    assert world.sql("SELECT 1 FROM audit") == []
    for _ in range(2):
        steps.run(claim, [Step("query", dict, commit=lambda s, _: s.execute(insert))])
    assert len(world.sql("SELECT 1 FROM audit")) == 1


def test_work_of_many_time_boxes_goes_on_from_box_to_box_and_ends(world: World) -> None:
    job, ran = world.job("noop", {}, "noop:1"), list[str]()
    claim, boxes = world.claim(job), 1
    while True:
        claim.deadline = time.monotonic() + 20  # of a box of 60 s: more than half is gone
        try:
            steps.run(claim, [counting(ran, f"render:{n}") for n in range(1, 5)])
            break
        except NotYet as not_yet:
            assert not_yet.delay == 0
            claim, boxes = world.given_back(claim), boxes + 1
    assert ran == ["render:1", "render:2", "render:3", "render:4"]
    assert boxes == 4


def test_progress_covers_the_span_and_names_what_was_done(world: World) -> None:
    job = world.job("noop", {}, "noop:1")
    claim = world.claim(job)
    steps.run(claim, [counting([], name) for name in ("a", "b", "c")], (10, 40))
    found = world.sql("SELECT seq, state, percent, message FROM job_events WHERE job_id = :id ORDER BY seq", id=job.id)
    assert [row.seq for row in found] == [1, 2, 3, 4, 5]
    assert [(row.percent, row.message) for row in found[2:]] == [
        (20, "a is done"),
        (30, "b is done"),
        (40, "c is done"),
    ]


def test_forgotten_steps_run_again_but_the_percent_does_not_fall(world: World) -> None:
    job, ran = world.job("noop", {}, "noop:1"), list[str]()
    claim = world.claim(job)
    steps.run(claim, [counting(ran, "query"), counting(ran, "render:1")])
    steps.forget(claim)
    steps.run(claim, [counting(ran, "query")], (0, 5))
    assert ran == ["query", "render:1", "query"]
    assert world.view(job.id)["percent"] == 100
