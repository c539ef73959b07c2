"""The search for lost messages: what a worker dropped is found, and a long queue is not taken for lost."""

import pytest
from app.shared import memory, outbox, relay
from app.shared.core import Job

from billing.db import unit

from .steps import published, tick


def take(count: int, queue: str = "noops") -> list:
    """Workers take so many messages and acknowledge them."""
    found = []
    for _ in range(count):
        taken = memory.the.receive(queue)
        assert taken is not None
        memory.the.ack(taken[0])
        found.append(memory.the.decode(taken[1]).job_id)
    return found


def finish(spine, jobs: list, state: str = "succeeded") -> None:
    """Their runs began and ended just now."""
    spine.rows(
        "UPDATE jobs SET state = %s, started_at = clock_timestamp(), deliveries = deliveries + 1,"
        " finished_at = CASE WHEN %s = 'succeeded' THEN clock_timestamp() END,"
        " due_at = CASE WHEN %s = 'retrying' THEN now() END WHERE id = ANY(%s)",
        state,
        state,
        state,
        jobs,
    )


def leases_go_by(spine, leases: int) -> None:
    """In each of them workers take a few, and the scheduler looks for what was lost."""
    for _ in range(leases):
        finish(spine, take(60))
        spine.age(11)
        tick()


@pytest.fixture
def backlog(spine, configure) -> list[Job]:
    """2,000 jobs, published in batches of 300."""
    configure(RELAY_BATCH=300, LEASE=10)
    accepted = spine.accept(*[spine.new() for _ in range(2000)])
    assert published(spine) == 2000
    return accepted


def test_a_backlog_that_waits_for_many_leases_costs_no_delivery_more(spine, backlog):
    """Workers take a few at a time over ten leases and more; one in ten fails and comes back behind the queue."""
    for _round in range(12):
        taken = take(60)
        finish(spine, taken[6:])
        finish(spine, taken[:6], "retrying")
        tick()
        published(spine)
        spine.age(11)
        tick()
    retried = 12 * 6
    assert published(spine) == 2000 + retried
    assert memory.the.depth("noops") == 2000 + retried - 12 * 60
    assert retried / 2000 < 0.1


def test_a_backlog_whose_messages_a_relay_sent_twice_is_not_taken_for_lost(spine, backlog, monkeypatch):
    """The mark on the broker was gone, the messages were not: now each is there twice."""
    memory.the.mark = None
    monkeypatch.setattr(relay, "_next_look", 0.0)
    published(spine)
    assert memory.the.depth("noops") == 4000
    leases_go_by(spine, 4)
    assert spine.waiting() == 0


def test_one_job_with_a_second_message_behind_the_queue_does_not_make_the_queue_look_lost(spine, backlog):
    """It was started by its first; the second still waits behind all the others."""
    with unit() as s:
        outbox.emit(s, [backlog[0].id])
    published(spine)
    leases_go_by(spine, 3)
    assert spine.waiting() == 0


def test_a_message_lost_between_the_pop_and_the_claim_is_found_in_a_long_queue(spine, backlog):
    """Its worker died: those published before and after it were taken, and it was not."""
    finish(spine, take(200))
    lost = take(1)
    spine.age(25)
    tick()
    assert spine.waiting() == 0, "nothing that was published later has been taken yet"
    finish(spine, take(200))
    tick()
    assert spine.waiting() == 0, "it may be in somebody's hands just now"
    spine.age(11)
    tick()
    assert spine.rows("SELECT job_id FROM outbox WHERE published_at IS NULL") == [(lost[0],)]
    published(spine)
    spine.age(11)
    tick()
    assert spine.waiting() == 0, "it is given two leases before it is looked for again"


def test_a_message_lost_from_a_queue_that_is_empty_now_is_found(spine, configure):
    configure(LEASE=10)
    job = spine.one_job()
    relay.run_once()
    take(1)
    tick()
    spine.age(19)
    tick()
    assert spine.waiting() == 0, "two leases have not passed"
    spine.age(2)
    tick()
    assert spine.rows("SELECT job_id FROM outbox WHERE published_at IS NULL") == [(job.id,)]


def test_a_queue_that_is_full_but_that_nobody_works_on_is_left_alone(spine, backlog):
    spine.age(1000)
    tick()
    assert spine.waiting() == 0


def test_a_busy_queue_says_nothing_about_another(spine, configure):
    configure(LEASE=10)
    waiting = spine.accept(spine.new("report.export"))[0]
    relay.run_once()
    quick = spine.one_job()
    relay.run_once()
    finish(spine, [quick.id])
    take(1)
    spine.age(50)
    tick()
    assert spine.waiting() == 0
    assert spine.look(waiting) == "queued"


def test_messages_that_were_dropped_while_paused_go_into_the_outbox_once_and_stay_there(spine, configure):
    configure(LEASE=10)
    spine.one_job()
    relay.run_once()
    take(1)
    spine.rows("INSERT INTO pauses (scope, actor) VALUES ('all', 'ann')")
    for _ in range(5):
        spine.age(25)
        tick()
        assert relay.run_once() == 0
    assert spine.waiting() == 1


def test_a_queued_job_without_any_message_gets_one(spine, configure):
    """Nothing should make such a job; nothing but this would ever find it."""
    job = spine.one_job()
    spine.rows("DELETE FROM outbox")
    tick()
    assert spine.rows("SELECT job_id FROM outbox") == [(job.id,)]
