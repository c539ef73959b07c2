"""The scheduler: retries come due, lost leases are reaped, lost messages are found; and a long queue is not lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

from app.shared import memory, outbox, relay, scheduler
from app.shared.core import BrokerDown
from app.shared.memory import MemoryBroker

from billing.db import unit

from .steps import claim, published, tick


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
    for job in (lost, alive):
        claim(job)
    spine.end_lease(lost)
    tick()
    assert (spine.look(lost), spine.look(alive)) == ("queued", "running")
    assert spine.rows("SELECT job_id FROM outbox WHERE published_at IS NULL") == [(lost.id,)]
    tick()
    assert spine.waiting() == 1


def test_reaping_and_promotion_go_on_while_the_broker_is_down(spine):
    lost, due = spine.accept(spine.new(), spine.new())
    relay.run_once()
    claim(lost)
    spine.end_lease(lost)
    spine.rows("UPDATE jobs SET state = 'retrying', due_at = now() WHERE id = %s", due.id)
    memory.the.down = True
    tick()
    assert (spine.look(lost), spine.look(due)) == ("queued", "queued")


def test_reaping_and_promotion_are_committed_before_a_broker_that_hangs_is_asked(spine, monkeypatch):
    lost = spine.one_job()
    relay.run_once()
    claim(lost)
    spine.end_lease(lost)
    seen = []

    def hangs(_queue: str) -> int:
        seen.append((spine.look(lost), spine.one("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%%'")))
        raise BrokerDown("no answer")

    monkeypatch.setattr(memory.the, "depth", hangs)
    tick()
    assert seen == [("queued", 0)], "committed, and no transaction is open"


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
