"""The outbox: what commits is published in the end, and what rolls back was never heard of."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid5

import pytest
from app.shared import memory, outbox, relay

from billing.db import unit


def test_a_request_that_fails_after_it_wrote_its_job_leaves_no_trace_of_it(spine):
    with pytest.raises(ZeroDivisionError), unit() as s:
        assert outbox.add(s, spine.new("payout.send"))
        1 / 0  # noqa: B018
    for table in ("jobs", "outbox", "job_events", "outbox_sequences"):
        assert spine.one(f"SELECT count(*) FROM {table}") == 0
    assert relay.run_once() == 0


def test_a_job_comes_with_its_first_event_and_one_row_to_publish(spine):
    job = spine.one_job("payout.send")
    assert spine.events(job) == [(1, "queued")]
    assert spine.rows("SELECT job_id, kind, aggregate, seq, published_at FROM outbox") == [
        (job.id, "payout.send", "acme:a", 1, None)
    ]
    assert spine.rows("SELECT seq, event_seq, percent FROM jobs") == [(1, 1, 0)]


def test_numbers_and_outbox_ids_of_an_aggregate_follow_the_order_of_its_commits(spine):
    """Eight writers at three aggregates: whoever read a committed job finds only later ones with higher numbers."""
    start = threading.Barrier(8)

    def write(writer: int) -> None:
        start.wait(10)
        for n in range(12):
            with unit() as s:
                outbox.add(s, spine.new("payout.send", aggregate=f"acme:{(writer + n) % 3}"))
                # What commits while this transaction is open and before its number is taken must have a lower one.
                s.execute(outbox.text("SELECT pg_sleep(0.001)"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    # `xmin` of a row and commit order: within an aggregate the lock makes transactions follow one another, so ages,
    # numbers and outbox ids must all agree, without a gap.
    for aggregate in range(3):
        seqs = [
            seq for (seq,) in spine.rows("SELECT seq FROM outbox WHERE aggregate = %s ORDER BY id", f"acme:{aggregate}")
        ]
        assert seqs == list(range(1, 33))


def test_a_writer_waits_for_the_one_before_it_in_the_same_aggregate(spine, until):
    """The number is taken under a lock that lasts until the commit: otherwise 2 could be published before 1."""
    second_has_committed = threading.Event()

    def second() -> None:
        with unit() as s:
            outbox.add(s, spine.new("payout.send"))
        second_has_committed.set()

    with unit() as s:
        outbox.add(s, spine.new("payout.send"))
        thread = threading.Thread(target=second)
        thread.start()
        until(lambda: spine.one("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype <> 'relation'"))
        assert not second_has_committed.is_set()
    thread.join(10)
    assert spine.rows("SELECT seq FROM outbox ORDER BY id") == [(1,), (2,)]


def test_writers_of_different_aggregates_do_not_wait_for_each_other(spine):
    with unit() as s:
        outbox.add(s, spine.new("payout.send", aggregate="acme:a"))
        spine_other = spine.new("payout.send", aggregate="acme:b")
        with unit() as other:
            other.execute(outbox.text("SET LOCAL lock_timeout = '500ms'"))
            assert outbox.add(other, spine_other)


def test_two_batches_over_the_same_aggregates_never_lock_each_other_out(spine):
    """Locks are taken in the order of names, whatever order the batch has."""
    names = [f"acme:{n:02}" for n in range(30)]
    start = threading.Barrier(4)

    def write(turned: bool) -> None:
        start.wait(10)
        for _ in range(10):
            with unit() as s:
                order = reversed(names) if turned else names
                outbox.add_many(s, [spine.new("webhook.deliver", aggregate=name) for name in order])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [False, True, False, True]))  # a deadlock would raise
    assert spine.one("SELECT count(*) FROM outbox") == 30 * 10 * 4


def test_the_same_job_added_twice_is_there_once(spine):
    job = spine.new("payout.send")
    with unit() as s:
        assert outbox.add(s, job)
    with unit() as s:
        assert not outbox.add(s, job)
    assert spine.one("SELECT count(*) FROM outbox") == 1
    assert spine.events(job) == [(1, "queued")]


def test_the_same_job_added_by_two_at_once_is_there_once(spine):
    job, start = spine.new(), threading.Barrier(8)

    def add(_: int) -> bool:
        start.wait(10)
        with unit() as s:
            return outbox.add(s, job)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]
    assert spine.one("SELECT count(*) FROM outbox") == 1


def test_jobs_without_an_order_take_no_number_from_those_that_have_one(spine):
    """A batch may mix them, even over one aggregate."""
    spine.accept(spine.new("payout.send"), spine.new("noop"), spine.new("payout.send"))
    assert spine.rows("SELECT kind, seq FROM jobs ORDER BY kind, seq") == [
        ("noop", 0),
        ("payout.send", 1),
        ("payout.send", 2),
    ]
    spine.one_job("payout.send")
    assert spine.one("SELECT max(seq) FROM jobs") == 3


def test_a_fanout_that_is_killed_and_repeated_adds_its_children_once(spine):
    parent = spine.one_job("webhook.fanout")

    def children(subscribers: range) -> list:
        return [
            spine.new("webhook.deliver", aggregate=f"acme:w:{n}", parent_id=parent.id, id=uuid5(parent.id, str(n)))
            for n in subscribers
        ]

    with unit() as s:
        assert len(outbox.add_many(s, children(range(40)))) == 40
    with unit() as s:
        assert len(outbox.add_many(s, children(range(20, 70)))) == 30
    assert spine.one("SELECT count(*) FROM jobs WHERE parent_id = %s", parent.id) == 70
    assert spine.one("SELECT count(*) FROM outbox WHERE kind = 'webhook.deliver'") == 70


def test_a_batch_is_numbered_in_its_own_order(spine):
    batch = [spine.new("payout.send") for _ in range(20)]
    spine.one_job("payout.send")
    spine.accept(*batch)
    assert [job for (job,) in spine.rows("SELECT job_id FROM outbox WHERE seq > 1 ORDER BY seq")] == [
        j.id for j in batch
    ]
    assert [job for (job,) in spine.rows("SELECT job_id FROM outbox WHERE seq > 1 ORDER BY id")] == [
        j.id for j in batch
    ]


def test_asking_twice_for_a_message_that_was_not_sent_yet_sends_one(spine):
    job = spine.one_job()
    with unit() as s:
        outbox.emit(s, [job.id])
        outbox.emit(s, [job.id])
    assert spine.waiting() == 1
    assert relay.run_once() == 1
    with unit() as s:
        outbox.emit(s, [job.id])
        outbox.emit(s, [job.id])
    assert spine.waiting() == 1


def test_asking_for_a_message_while_the_last_one_is_being_sent_sends_another(spine, monkeypatch: pytest.MonkeyPatch):
    """The relay has published but not committed; a quick worker took the message, failed, and its retry is due. If
    the row in the relay's hands counted as a message to come, no message would ever come."""
    job = spine.one_job()
    publish = memory.the.publish

    def and_meanwhile(envelopes):
        confirmed = publish(envelopes)
        with unit() as s:
            outbox.emit(s, [job.id])
        return confirmed

    monkeypatch.setattr(memory.the, "publish", and_meanwhile)
    assert relay.run_once() == 1
    assert spine.waiting() == 1, "the retry's message must be on its way"


def test_asking_for_unknown_jobs_or_none_does_nothing(spine):
    with unit() as s:
        outbox.emit(s, [])
        outbox.emit(s, [UUID(int=7)])
    assert spine.waiting() == 0


def test_the_backlog_tells_how_many_wait_and_for_how_long(spine):
    with unit() as s:
        assert outbox.backlog(s) == (0, 0.0)
    spine.accept(spine.new(), spine.new())
    spine.rows("UPDATE outbox SET created_at = now() - interval '30 s' WHERE id = (SELECT min(id) FROM outbox)")
    with unit() as s:
        count, age = outbox.backlog(s)
    assert count == 2
    assert 30 <= age < 40


def test_messages_of_a_batch_are_asked_for_in_the_order_given(spine, until: Callable):
    batch = spine.accept(*[spine.new() for _ in range(5)])
    assert relay.run_once() == 5
    wanted = [job.id for job in reversed(batch)]
    with unit() as s:
        outbox.emit(s, wanted)
    assert [job for (job,) in spine.rows("SELECT job_id FROM outbox WHERE published_at IS NULL ORDER BY id")] == wanted
