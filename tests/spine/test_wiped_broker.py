"""A broker that was wiped is known by its mark: everything queued is published again, and nothing else."""

import pytest
from app.shared import memory, relay
from app.shared.core import BrokerDown

from billing.db import unit

from .steps import everything_on


def test_a_broker_that_dies_between_the_look_at_its_mark_and_the_publishing_changes_nothing(
    spine, monkeypatch: pytest.MonkeyPatch
):
    """The new mark is on the broker, but not in Postgres: the next relay sees two that differ, and starts over."""
    job = spine.one_job()
    relay.run_once()
    memory.the.wipe()
    publish = memory.the.publish

    def down(_):
        raise BrokerDown("just now")

    monkeypatch.setattr(memory.the, "publish", down)
    monkeypatch.setattr(relay, "_next_look", 0.0)
    with pytest.raises(BrokerDown):
        relay.run_once()
    monkeypatch.setattr(memory.the, "publish", publish)
    monkeypatch.setattr(relay, "_next_look", 0.0)
    assert relay.run_once() == 1
    assert everything_on("noops") == [job.id]


def test_after_the_broker_is_wiped_everything_queued_is_published_again_and_nothing_else(spine, monkeypatch):
    names = ("queued", "running", "retrying", "succeeded", "failed", "cancelled")
    accepted = dict(zip(names, spine.accept(*[spine.new() for _ in names]), strict=True))
    relay.run_once()
    for state, job in accepted.items():
        spine.rows("UPDATE jobs SET state = %s WHERE id = %s", state, job.id)
    waiting = spine.one_job()
    memory.the.wipe()
    monkeypatch.setattr(relay, "_next_look", 0.0)
    assert relay.run_once() == 2
    assert set(everything_on("noops")) == {accepted["queued"].id, waiting.id}
    relay._next_look = 0.0
    assert relay.run_once() == 0, "the new mark is known"


def test_of_a_job_with_several_messages_behind_it_a_wiped_broker_gets_one(spine, monkeypatch):
    job = spine.one_job()
    for _ in range(3):
        relay.run_once()
        with unit() as s:
            relay_again(s, job)
    relay.run_once()
    memory.the.wipe()
    monkeypatch.setattr(relay, "_next_look", 0.0)
    assert relay.run_once() == 1
    assert everything_on("noops") == [job.id]


def relay_again(s, job) -> None:
    from app.shared import outbox

    outbox.emit(s, [job.id])


def test_a_broker_that_still_has_our_mark_gets_nothing_twice(spine, monkeypatch):
    spine.one_job()
    relay.run_once()
    for _ in range(3):
        monkeypatch.setattr(relay, "_next_look", 0.0)
        assert relay.run_once() == 0
    assert memory.the.depth("noops") == 1
