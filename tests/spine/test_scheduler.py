"""The scheduler: retries come due, lost leases are reaped, lost messages are found; and a long queue is not lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from app.shared import claims, memory, outbox, relay, scheduler
from app.shared.core import BrokerDown, Job
from app.shared.memory import MemoryBroker

from billing.db import unit


def tick() -> None:
    """One round with every duty due, but for the cleaning."""
    scheduler.tick(1.0, 0.0, float("inf"))


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


def published(spine) -> int:
    """Messages that ever went out."""
    while relay.run_once():
        pass
    return int(spine.one("SELECT count(*) FROM outbox"))


def test_retries_that_are_due_are_promoted_once_by_two_schedulers(spine):
    due = spine.accept(*[spine.new() for _ in range(30)])
    later = spine.one_job()
    relay.run_once()
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now() - interval '1 s'")
    spine.rows("UPDATE jobs SET due_at = now() + interval '1 h' WHERE id = %s", later.id)
    start = threading.Barrier(4)

    def both(_: int) -> None:
        start.wait(10)
        tick()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(both, range(4)))
    assert spine.waiting() == 30
    assert spine.one("SELECT count(*) FROM jobs WHERE state = 'queued'") == 30
    assert all(spine.events(job)[-1] == (2, "queued") for job in due)
    assert spine.look(later) == "retrying"


def test_promotion_takes_no_lock_that_a_second_one_would_wait_for(spine):
    """Even without the lead, two at once share the rows out."""
    spine.accept(*[spine.new() for _ in range(30)])
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now()")
    with unit() as s:
        first = scheduler.promote(s)
        with unit() as other:
            other.execute(scheduler.text("SET LOCAL lock_timeout = '500ms'"))
            assert scheduler.promote(other) == []
    assert len(first) == 30


def test_a_job_whose_lease_ended_is_queued_again_with_a_message(spine):
    lost, alive = spine.accept(spine.new(), spine.new())
    relay.run_once()
    with unit() as s:
        for job in (lost, alive):
            claims.claim(s, job.id)
    spine.end_lease(lost)
    tick()
    assert (spine.look(lost), spine.look(alive)) == ("queued", "running")
    assert spine.rows("SELECT job_id FROM outbox WHERE published_at IS NULL") == [(lost.id,)]
    tick()
    assert spine.waiting() == 1


def test_reaping_and_promotion_go_on_while_the_broker_is_down(spine):
    lost, due = spine.accept(spine.new(), spine.new())
    relay.run_once()
    with unit() as s:
        claims.claim(s, lost.id)
    spine.end_lease(lost)
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now() WHERE id = %s", due.id)
    memory.the.down = True
    tick()
    assert (spine.look(lost), spine.look(due)) == ("queued", "queued")


def test_reaping_and_promotion_are_committed_before_a_broker_that_hangs_is_asked(spine, monkeypatch):
    lost = spine.one_job()
    relay.run_once()
    with unit() as s:
        claims.claim(s, lost.id)
    spine.end_lease(lost)
    seen = []

    def hangs(_queue: str) -> int:
        seen.append((spine.look(lost), spine.one("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%%'")))
        raise BrokerDown("no answer")

    monkeypatch.setattr(memory.the, "depth", hangs)
    tick()
    assert seen == [("queued", 0)], "committed, and no transaction is open"


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
    for _round in range(4):
        finish(spine, take(60))
        spine.age(11)
        tick()
    assert spine.waiting() == 0


def test_one_job_with_a_second_message_behind_the_queue_does_not_make_the_queue_look_lost(spine, backlog):
    """It was started by its first; the second still waits behind all the others."""
    with unit() as s:
        outbox.emit(s, [backlog[0].id])
    published(spine)
    for _round in range(3):
        finish(spine, take(60))
        spine.age(11)
        tick()
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


def test_only_one_scheduler_ticks(spine):
    job = spine.one_job()
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now()")
    with unit() as s:
        assert s.execute(scheduler._LEAD).scalar_one()
        tick()
        assert spine.look(job) == "retrying"
    tick()
    assert spine.look(job) == "queued"


def test_the_loop_lives_through_an_outage_of_postgres(spine, until, configure):
    configure(REAPER_PERIOD=0.05)
    stop = threading.Event()
    looping = threading.Thread(target=scheduler.loop, args=(stop,))
    looping.start()
    until(lambda: spine.one("SELECT count(*) > 1 FROM pg_stat_activity WHERE datname = current_database()"))
    spine.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    job = spine.one_job()
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now()")
    until(lambda: spine.look(job) == "queued")
    stop.set()
    looping.join(10)
    assert not looping.is_alive()


def test_what_a_requeue_and_a_late_reaper_ask_for_is_one_message(spine):
    job = spine.one_job()
    with unit() as s:
        outbox.emit(s, [job.id])
    assert isinstance(memory.the, MemoryBroker)
    assert published(spine) == 1
