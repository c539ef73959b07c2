"""Claims: one worker a job, for a lease at a time, by Postgres' clock; and silence for whoever lost it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from app.shared import claims, effects, jobs
from app.shared.core import Claim, Exhausted, Job, LostLease, Receipt, Refused

from billing.db import unit

from .steps import claim, expire


def test_of_twenty_workers_with_the_same_message_one_gets_the_job(spine):
    job, start = spine.one_job(), threading.Barrier(20)

    def try_it(_: int) -> str:
        start.wait(10)
        try:
            return f"fence {claim(job).fence}"
        except Refused as refused:
            return refused.why

    with ThreadPoolExecutor(20) as pool:
        found = sorted(pool.map(try_it, range(20)))
    assert found == ["fence 1"] + ["running"] * 19
    assert spine.rows("SELECT deliveries, fence, state FROM jobs") == [(1, 1, "running")]
    assert spine.events(job) == [(1, "queued"), (2, "running")]


@pytest.mark.parametrize("state", ["running", "retrying", "succeeded", "failed", "cancelled"])
def test_a_job_that_is_not_queued_is_refused_with_its_state(spine, state):
    job = spine.one_job()
    spine.rows("UPDATE jobs SET state = %s", state)
    with pytest.raises(Refused) as refused:
        claim(job)
    assert refused.value.why == state
    assert spine.look(job, "deliveries") == 0


def test_a_message_about_no_job_is_refused(spine):
    with pytest.raises(Refused, match="unknown"):
        claim(spine.new())


@pytest.mark.parametrize("scope", ["all", "kind:noop", "queue:noops"])
def test_a_paused_job_is_refused_and_stays_queued(spine, scope):
    job = spine.one_job()
    spine.rows("INSERT INTO pauses (scope, actor) VALUES (%s, 'ann')", scope)
    with pytest.raises(Refused, match="paused"):
        claim(job)
    assert spine.look(job) == "queued"
    assert spine.look(job, "deliveries") == 0
    spine.rows("DELETE FROM pauses")
    assert claim(job).fence == 1


def test_a_pause_of_something_else_is_none_of_its_business(spine):
    spine.rows("INSERT INTO pauses (scope, actor) VALUES ('kind:payout.send', 'ann'), ('queue:reports', 'ann')")
    assert claim(spine.one_job()).fence == 1


def test_each_claim_raises_the_fencing_token(spine):
    job, fences = spine.one_job(), []
    for _ in range(3):
        fences.append(claim(job).fence)
        spine.end_lease(job)
        fences += [lost.fence for lost in expire()]  # the old worker is silenced here, not only at the next claim
    assert fences == [1, 2, 3, 4, 5, 6]


def test_two_reapers_take_a_lost_job_once(spine):
    for job in spine.accept(*[spine.new() for _ in range(20)]):
        claim(job)
    spine.rows("UPDATE jobs SET lease_until = now() - interval '1 s'")
    with ThreadPoolExecutor(4) as pool:
        found = [job.id for batch in pool.map(lambda _: expire(), range(4)) for job in batch]
    assert len(found) == len(set(found)) == 20


def frozen_and_reaped(spine) -> tuple[Job, Claim]:
    """A worker was frozen, its lease ended, and the reaper has given the job back. Nobody else has it yet."""
    job = spine.one_job()
    old = claim(job)
    spine.end_lease(job)
    assert expire()
    return job, old


@pytest.mark.parametrize("taken_over", [False, True], ids=["reaped", "taken over"])
def test_a_frozen_worker_that_wakes_writes_nothing(spine, taken_over):
    job, old = frozen_and_reaped(spine)
    if taken_over:
        claim(job)
    before = spine.rows("SELECT * FROM jobs"), spine.events(job)
    with unit() as s, pytest.raises(LostLease):
        claims.hold(s, old)
    with unit() as s, pytest.raises(LostLease):
        claims.renew(s, old)
    with unit() as s, pytest.raises(LostLease):
        claims.release(s, old, "no slot", 1)
    with unit() as s:
        assert not jobs.set_state(s, job.id, "running", percent=50, fence=old.fence)
        assert not jobs.set_state(s, job.id, "succeeded", fence=old.fence, extras={"finished": True})
    acts: list[str] = []
    with pytest.raises(LostLease):
        effects.once("acme:x:1", lambda key: acts.append(key) or Receipt("r"), claim=old)
    assert acts == []
    assert spine.one("SELECT count(*) FROM effects") == 0
    assert (spine.rows("SELECT * FROM jobs"), spine.events(job)) == before


def test_who_holds_the_row_makes_the_reaper_pass_by_until_the_commit(spine):
    job = spine.one_job()
    mine = claim(job)
    spine.end_lease(job)
    with unit() as s:
        claims.hold(s, mine)
        assert expire() == []
    assert len(expire()) == 1


def test_who_holds_the_row_does_not_hold_up_those_who_only_point_at_it(spine):
    """A foreign key (an outbox row, a child) needs the row to stay, not to stay the same."""
    job = spine.one_job()
    mine = claim(job)
    with unit() as s:
        claims.hold(s, mine)
        with unit() as other:
            other.execute(jobs.text("SET LOCAL lock_timeout = '500ms'"))
            other.execute(
                jobs.text("INSERT INTO outbox (job_id, kind, aggregate, seq) VALUES (:id, 'noop', 'a', 0)"),
                {"id": job.id},
            )


def test_a_job_that_kills_its_workers_is_exhausted_after_as_many_as_allowed(spine, configure):
    configure(MAX_CRASHES=3)
    job = spine.one_job()
    for _ in range(3):
        claim(job)
        spine.end_lease(job)
        expire()
    with pytest.raises(Exhausted):
        claim(job)
    assert spine.rows("SELECT state, deliveries FROM jobs") == [("queued", 3)], "the refused claim is undone"


def test_runs_that_end_in_a_failure_are_no_crashes(spine, configure):
    configure(MAX_CRASHES=2)
    job = spine.one_job()
    for _ in range(6):
        mine = claim(job)
        with unit() as s:
            assert jobs.set_state(s, job.id, "retrying", fence=mine.fence, extras={"failed_once": True, "let_go": True})
        spine.rows("UPDATE jobs SET state = 'queued'")
    assert spine.rows("SELECT failures, deliveries FROM jobs") == [(6, 6)]


def test_a_job_that_is_given_back_counts_no_delivery(spine, configure):
    configure(MAX_CRASHES=1)
    job = spine.one_job()
    for _ in range(4):
        mine = claim(job)
        with unit() as s:
            claims.release(s, mine, "no free slot", 7)
        assert spine.rows("SELECT state, deliveries, failures, lease_until, worker, message FROM jobs") == [
            ("retrying", 0, 0, None, None, "no free slot")
        ]
        assert 5 < spine.one("SELECT extract(epoch FROM due_at - now())::float FROM jobs") <= 7
        spine.rows("UPDATE jobs SET state = 'queued'")
    assert spine.look(job, "fence") == 4


def test_states_only_go_forward_and_the_percent_never_falls(spine):
    job = spine.one_job()
    with unit() as s:
        assert not jobs.set_state(s, job.id, "succeeded"), "not from queued"
    mine = claim(job)
    with unit() as s:
        assert jobs.set_state(s, job.id, "running", percent=60, fence=mine.fence)
        assert jobs.set_state(s, job.id, "running", percent=40, fence=mine.fence)
        assert jobs.set_state(s, job.id, "succeeded", fence=mine.fence, extras={"finished": True})
        for state in jobs.COMES_FROM:
            assert not jobs.set_state(s, job.id, state)
        assert not jobs.restart(s, job.id), "only a failed job starts again"
    assert spine.look(job, "percent") == 60
    assert [seq for seq, _ in spine.events(job)] == [1, 2, 3, 4, 5]


def test_events_of_one_job_written_by_many_at_once_are_numbered_without_a_gap(spine):
    job = spine.one_job()
    mine = claim(job)

    def progress(n: int) -> None:
        with unit() as s:
            assert jobs.set_state(s, job.id, "running", percent=n, fence=mine.fence)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(progress, range(60)))
    assert [seq for seq, _ in spine.events(job)] == list(range(1, 63))
    percents = [p for (p,) in spine.rows("SELECT percent FROM job_events ORDER BY seq")]
    assert percents == sorted(percents)
