"""What every broker owes: at least once, in order per queue, ids only; and it may be down, or wiped, at any moment."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from app.shared import jobs
from app.shared.core import BrokerDown, Undecodable

from .messages import TRACEPARENT, drain, envelope

# -- queues


def test_every_kind_of_work_has_a_queue_and_every_concern_its_own(broker):
    queue_of = {kind: broker.queue_of(kind) for kind in jobs.KINDS}
    assert set(queue_of.values()) == set(broker.queues())
    assert len(broker.queues()) == len(set(broker.queues())) == 5
    assert queue_of["webhook.fanout"] == queue_of["webhook.deliver"]
    assert broker.queues()[-1] == queue_of["report.export"], "quick concerns come first"


def test_a_kind_that_nobody_works_on_has_no_queue(broker):
    with pytest.raises(KeyError):
        broker.queue_of("fax.send")


def test_what_is_published_waits_in_the_queue_of_its_kind_and_in_no_other(driver, broker):
    sent = {kind: envelope(kind) for kind in jobs.KINDS}
    broker.publish(list(sent.values()))
    for queue in broker.queues():
        expected = [one.job_id for kind, one in sent.items() if broker.queue_of(kind) == queue]
        assert broker.depth(queue) == len(expected)
        assert sorted(drain(driver, queue)) == sorted(expected)
        assert broker.depth(queue) == 0


# -- publishing


def test_a_batch_is_confirmed_job_by_job(broker):
    batch = [envelope(kind) for kind in jobs.KINDS for _ in range(5)]
    assert broker.publish(batch) == {one.job_id for one in batch}


def test_an_empty_batch_is_no_error(broker):
    assert broker.publish([]) == set()


def test_messages_of_one_queue_come_in_the_order_in_which_they_were_published(driver, broker):
    batches = [[envelope("payout.send") for _ in range(n)] for n in (500, 1, 40)]
    for batch in batches:
        broker.publish(batch)
        broker.publish([envelope("noop")])
    assert drain(driver, "payouts") == [one.job_id for batch in batches for one in batch]


def test_a_message_carries_the_job_and_its_kind(driver, broker):
    for kind in jobs.KINDS:
        sent = envelope(kind)
        broker.publish([sent])
        tag, raw = driver.take(broker.queue_of(kind))
        assert (broker.decode(raw).job_id, broker.decode(raw).kind) == (sent.job_id, kind)
        driver.ack(tag)


def test_a_job_that_is_published_twice_is_delivered_twice(driver, broker):
    sent = envelope()
    assert broker.publish([sent, sent]) == {sent.job_id}
    assert broker.publish([sent]) == {sent.job_id}
    assert broker.depth("noops") == 3
    assert drain(driver, "noops") == [sent.job_id] * 3


def test_a_job_that_is_published_while_it_runs_is_delivered_again_afterwards(driver, broker):
    """Ending the first run must not take the second message with it."""
    sent = envelope()
    broker.publish([sent])
    tag, _ = driver.take("noops")
    broker.publish([sent])
    driver.ack(tag)
    assert drain(driver, "noops") == [sent.job_id]


def test_publishers_at_the_same_time_lose_nothing_of_each_other(driver, broker):
    batches = [[envelope() for _ in range(50)] for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(broker.publish, batches))
    found = drain(driver, "noops")
    assert sorted(found) == sorted(one.job_id for batch in batches for one in batch)
    for batch in batches:
        mine = {one.job_id for one in batch}
        assert [job for job in found if job in mine] == [one.job_id for one in batch]


def test_whoever_reads_the_broker_finds_ids_kinds_and_traces_and_nothing_else(driver, broker):
    batch = [envelope(kind) for kind in jobs.KINDS]
    broker.publish(batch)
    lies_there = driver.everything()
    for one in batch:
        assert str(one.job_id).encode() in lies_there
        lies_there = lies_there.replace(str(one.job_id).encode(), b"")
    for known in (*jobs.KINDS, TRACEPARENT):
        lies_there = lies_there.replace(known.encode(), b"")
    # Digits are times, and the part of an id that tells two messages of a job apart.
    words = {word.lower() for word in re.findall(rb"[A-Za-z]{3,}", re.sub(rb"\b[0-9a-f]{8,32}\b|\d", b"", lies_there))}
    assert words <= driver.vocabulary


# -- reading


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'"noop"',
        b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00",  # pickle
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b"[1, 2, 3, 4]",
        b'["' + b"9" * 5000 + b'"]',
        b"9" * 5000,
        b"\x00" * 100_000,
    ],
    ids=lambda raw: f"{len(raw)}-{raw[:6]!r}",
)
def test_bytes_that_are_no_message_are_told_as_such(broker, raw):
    with pytest.raises(Undecodable) as told:
        broker.decode(raw)
    assert len(str(told.value)) < 200, "it does not quote them"


def test_a_message_that_is_well_formed_and_not_ours_is_told_as_such(driver, broker):
    for what, raw in driver.forgeries().items():
        with pytest.raises(Undecodable):
            broker.decode(raw)
            pytest.fail(f"taken for ours: {what}")


def test_bytes_that_somebody_put_on_a_queue_do_not_hold_up_what_is_behind_them(driver, broker):
    driver.put("noops", b"\x00garbage")
    sent = envelope()
    broker.publish([sent])
    tag, raw = driver.take("noops")
    assert raw == b"\x00garbage", "as it lay there, so that it can be kept for somebody to look at"
    with pytest.raises(Undecodable):
        broker.decode(raw)
    driver.ack(tag)
    assert drain(driver, "noops") == [sent.job_id]


# -- depth and purge


def test_depth_counts_what_waits_and_not_what_is_being_worked_on(driver, broker):
    broker.publish([envelope() for _ in range(3)])
    tag, _ = driver.take("noops")
    assert broker.depth("noops") == 2
    driver.ack(tag)
    assert broker.depth("noops") == 2


def test_purge_empties_one_queue_and_tells_how_many_went(driver, broker):
    broker.mark_epoch("e1")
    broker.publish([envelope() for _ in range(7)] + [envelope("email.send")])
    assert broker.purge("noops") == 7
    assert broker.purge("noops") == 0
    assert (broker.depth("noops"), broker.depth("emails")) == (0, 1)
    assert broker.epoch() == "e1", "a purged queue is not a wiped broker"
    sent = envelope()
    broker.publish([sent])
    assert drain(driver, "noops") == [sent.job_id]


# -- what fails


def test_a_broker_that_is_down_says_so_at_once_and_loses_nothing_that_waited(driver, broker):
    before = envelope()
    broker.publish([before])
    broker.mark_epoch("e1")
    driver.down()
    started = time.monotonic()
    for ask in (
        lambda: broker.publish([envelope()]),
        lambda: broker.depth("noops"),
        lambda: broker.purge("noops"),
        broker.epoch,
        lambda: broker.mark_epoch("e2"),
    ):
        with pytest.raises(BrokerDown):
            ask()
    assert time.monotonic() - started < 1, "who waits here holds a transaction open"
    driver.up()
    assert broker.epoch() == "e1"
    assert drain(driver, "noops") == [before.job_id]


def test_an_empty_broker_has_no_mark_and_keeps_the_one_it_is_given(broker):
    assert broker.epoch() is None
    broker.mark_epoch("e1")
    broker.mark_epoch("e2")
    broker.publish([envelope()])
    assert broker.epoch() == "e2"


def test_a_wiped_broker_has_lost_the_mark_with_the_messages(driver, broker):
    broker.publish([envelope()])
    broker.mark_epoch("e1")
    driver.wipe()
    assert broker.epoch() is None
    assert broker.depth("noops") == 0
    assert driver.take("noops") is None
