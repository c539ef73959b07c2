"""A message's way through the runner, to each of its ends."""

import json
import threading

import pytest
from app.shared import claims, memory, outbox, relay, retries, runner, scheduler
from app.shared.core import Claim, Failure, Job, LostLease, NotYet, PartnerError

from billing.db import unit


def deliver_next(queue: str = "noops") -> None:
    """One consumer's step: take, run, acknowledge."""
    taken = memory.the.receive(queue)
    assert taken is not None
    tag, raw = taken
    runner.deliver(raw, queue)
    memory.the.ack(tag)


def make_due(spine) -> None:
    spine.rows("UPDATE jobs SET due_at = now() WHERE state = 'retrying'")


def promote() -> None:
    with unit() as s:
        scheduler.promote(s)


def fails(failure: Failure, times: int = 99):
    calls = []

    def handle(claim: Claim) -> dict:
        calls.append(claim)
        if len(calls) <= times:
            raise PartnerError(failure)
        return {"calls": len(calls)}

    return handle


def test_a_job_goes_from_accepted_to_succeeded(spine):
    job = spine.one_job()
    relay.run_once()
    deliver_next()
    assert spine.events(job) == [(1, "queued"), (2, "running"), (3, "succeeded")]
    assert spine.rows("SELECT state, percent, result, lease_until, worker, error FROM jobs") == [
        ("succeeded", 100, {}, None, None, None)
    ]
    assert spine.one("SELECT finished_at >= started_at FROM jobs")
    assert spine.one("SELECT natural_key FROM effects") == job.natural_key


def test_the_same_message_ten_times_over_has_one_effect(spine):
    job = spine.one_job()
    for _ in range(10):
        runner.run(job.id)
    assert spine.look(job, "deliveries") == 1
    assert spine.one("SELECT count(*) FROM effects") == 1


def test_a_transient_failure_is_retried_when_it_is_due_and_not_before(spine, handler):
    handler(fails(Failure("HTTP503", "not now", 503), times=1))
    job = spine.one_job()
    relay.run_once()
    deliver_next()
    assert spine.rows("SELECT state, failures, deliveries, lease_until, worker FROM jobs") == [
        ("retrying", 1, 1, None, None)
    ]
    assert spine.one("SELECT due_at BETWEEN now() - interval '1 s' AND now() + interval '1 s' FROM jobs")
    spine.rows("UPDATE jobs SET due_at = now() + interval '1 h'")
    promote()
    assert spine.waiting() == 0
    runner.run(job.id)
    assert spine.look(job) == "retrying", "a late message doesn't start it early"
    make_due(spine)
    promote()
    assert relay.run_once() == 1
    deliver_next()
    assert spine.rows("SELECT state, failures, deliveries, result FROM jobs") == [("succeeded", 1, 2, {"calls": 2})]
    assert [state for _, state in spine.events(job)] == [
        "queued",
        "running",
        "retrying",
        "queued",
        "running",
        "succeeded",
    ]


def test_a_job_that_fails_every_time_is_parked_after_as_many_attempts_as_allowed(spine, handler, configure):
    configure(MAX_ATTEMPTS=3)
    handler(fails(Failure("HTTP503", "not now", 503)))
    job = spine.one_job()
    for _ in range(3):
        assert spine.look(job) == "queued"
        runner.run(job.id)
        make_due(spine)
        promote()
    assert spine.look(job) == "failed"
    assert spine.rows("SELECT reason, attempts, deliveries FROM dead_letters") == [("HTTP503 after 3 attempts", 3, 3)]


@pytest.mark.parametrize(
    "failure", [Failure("HTTP422", "another body", 422), Failure("BadSecret", "not base64", transient=False)]
)
def test_a_permanent_failure_goes_to_the_dead_letters_at_once(spine, handler, failure):
    handler(fails(failure))
    job = spine.one_job()
    runner.run(job.id)
    assert spine.rows("SELECT state, failures, lease_until, worker FROM jobs") == [("failed", 1, None, None)]
    assert spine.rows("SELECT job_id, kind, queue, error_class, attempts FROM dead_letters") == [
        (job.id, "noop", "noops", failure.error, 1)
    ]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda claim: 1 / 0,  # a bug
        lambda claim: {"at": object()},  # a result that no JSON can hold
        lambda claim: {}["missing"],  # a KeyError, as of a kind that nobody handles
    ],
)
def test_a_mistake_of_ours_is_parked_and_does_not_run_again(spine, handler, mistake):
    handler(mistake)
    job = spine.one_job()
    runner.run(job.id)
    assert spine.look(job) == "failed"
    assert spine.one("SELECT count(*) FROM dead_letters") == 1


def test_a_job_that_can_not_go_on_yet_counts_neither_failure_nor_delivery(spine, handler):
    def no_slot(claim: Claim) -> dict:
        raise NotYet("no free slot", delay=3)

    handler(no_slot)
    job = spine.one_job()
    for _ in range(6):
        runner.run(job.id)
        assert spine.rows("SELECT state, failures, deliveries, message FROM jobs") == [
            ("retrying", 0, 0, "no free slot")
        ]
        make_due(spine)
        promote()
    assert spine.one("SELECT count(*) FROM dead_letters") == 0


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe", b"{}", b'{"job_id": "7", "kind": "noop"}', b"[" * 100_000, b"null", b'"x"']
)
def test_bytes_that_are_no_message_are_parked_and_the_next_message_runs(spine, raw):
    memory.the.put("noops", raw)
    job = spine.one_job()
    relay.run_once()
    deliver_next()
    deliver_next()
    assert spine.look(job) == "succeeded"
    found = spine.rows("SELECT job_id, queue, error_class, context ->> 'size' FROM dead_letters")
    assert found == [(None, "noops", "Undecodable", str(len(raw)))]


def test_a_message_of_a_kind_that_nobody_works_on_is_parked(spine):
    job = spine.one_job()
    memory.the.put("noops", json.dumps({"job_id": str(job.id), "kind": "fax.send"}).encode())
    deliver_next()
    assert spine.look(job) == "queued"
    assert spine.one("SELECT count(*) FROM dead_letters WHERE error_class = 'Undecodable'") == 1


def test_the_decision_about_a_failure_is_the_policys(spine, handler, monkeypatch):
    """The runner carries out, and decides nothing."""
    asked = []
    decide = retries.decide
    monkeypatch.setattr(retries, "decide", lambda *a: asked.append(a[:2]) or decide(*a))
    handler(fails(Failure("HTTP503", "not now", 503)))
    job: Job = spine.one_job()
    runner.run(job.id)
    assert asked == [(Failure("HTTP503", "not now", 503), 1)]
    with unit() as s, pytest.raises(LostLease):
        claims.hold(s, Claim(job, 1, 0, 0))


def test_a_message_that_is_ahead_of_its_jobs_commit_is_waited_for_and_not_dropped(spine):
    job = spine.new()
    early = threading.Thread(target=runner.run, args=(job.id,))
    with unit() as s:
        outbox.add(s, job)
        early.start()
        early.join(0.3)
        assert early.is_alive()
    early.join(10)
    assert spine.rows("SELECT state FROM jobs") == [("succeeded",)]
