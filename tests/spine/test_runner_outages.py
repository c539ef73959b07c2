"""The runner when its lease or Postgres is lost: the job belongs to another run, or comes again."""

import threading

import psycopg
import pytest
from app.shared import claims, effects, relay, runner, scheduler
from app.shared.core import Claim, Failure, NotYet, PartnerError, Receipt

from billing import db
from billing.db import DatabaseDown, unit

from .steps import claim, expire


@pytest.mark.parametrize("end", ["returns", "fails", "fails for good", "gives back", "finds out"])
def test_a_run_that_lost_its_lease_ends_in_silence(spine, handler, end):
    """However it ends: the job belongs to another run by now, and so does the account of it."""

    def overtaken(lost: Claim) -> dict:
        spine.end_lease(lost.job)
        expire()
        claim(lost.job)
        match end:
            case "fails":
                raise PartnerError(Failure("HTTP503", "not now", 503))
            case "fails for good":
                raise PartnerError(Failure("HTTP404", "gone", 404))
            case "gives back":
                raise NotYet("no free slot", delay=0)
            case "finds out":
                with unit() as s:
                    claims.hold(s, lost)
        return {}

    handler(overtaken)
    job = spine.one_job()
    runner.run(job.id)
    assert spine.rows("SELECT state, fence, deliveries, failures FROM jobs") == [("running", 3, 2, 0)]
    assert [state for _, state in spine.events(job)] == ["queued", "running", "queued", "running"]
    assert spine.one("SELECT count(*) FROM dead_letters") == 0


def test_a_job_that_kills_its_workers_is_parked_and_its_handler_left_alone(spine, handler, configure):
    configure(MAX_CRASHES=2)
    handler(lambda claim: pytest.fail("it must not run again"))
    job = spine.one_job()
    for _ in range(2):
        claim(job)
        spine.end_lease(job)
        with unit() as s:
            scheduler.reap(s)
    runner.run(job.id)
    assert spine.look(job) == "failed"
    assert spine.rows("SELECT job_id, reason, error_class, deliveries FROM dead_letters") == [
        (job.id, "it killed its worker", "WorkerKilled", 2)
    ]
    runner.run(job.id)
    assert spine.one("SELECT count(*) FROM dead_letters") == 1


def cut_connections(spine) -> None:
    """As a restart of Postgres does to everybody."""
    spine.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_an_end_that_can_not_be_recorded_leaves_the_job_to_its_lease_and_it_comes_again(
    spine, handler, monkeypatch: pytest.MonkeyPatch
):
    runs = []

    def handle(claim: Claim) -> dict:
        effects.once(claim.job.natural_key, lambda key: runs.append(key) or Receipt("r"), claim=claim)
        if claim.job.deliveries == 1:
            db.dispose()
            monkeypatch.setattr(db, "engine", unreachable)
        return {}

    def unreachable():
        raise psycopg_outage()

    handler(handle)
    job = spine.one_job()
    engine = db.engine
    runner.run(job.id)
    monkeypatch.setattr(db, "engine", engine)
    assert spine.look(job) == "running"
    spine.end_lease(job)
    with unit() as s:
        scheduler.reap(s)
    assert relay.run_once() == 1
    runner.run(job.id)
    assert spine.look(job) == "succeeded"
    assert runs == [job.natural_key], "the second run found the effect on record"


def psycopg_outage() -> Exception:
    from sqlalchemy.exc import OperationalError

    return OperationalError("connect", {}, psycopg.OperationalError("connection refused"))


def test_a_claim_outlives_a_restart_of_postgres(spine, handler):
    """An idle worker's connections are dead after it. The message in its hands must not be the price."""
    handler(lambda claim: {})
    spine.one_job("email.send")
    job = spine.one_job()
    expire()  # opens a connection
    cut_connections(spine)
    runner.run(job.id)
    assert spine.look(job) == "succeeded"


def test_while_postgres_is_away_a_worker_waits_with_its_message_for_a_lease(spine, configure, monkeypatch):
    """Else it would take the whole queue in seconds, and drop it."""
    configure(LEASE=0.5)
    tried = []

    def unreachable():
        tried.append(1)
        raise psycopg_outage()

    job = spine.one_job()
    monkeypatch.setattr(db, "engine", unreachable)
    with pytest.raises(DatabaseDown):
        runner.run(job.id)
    assert len(tried) >= 2
    assert spine.look(job) == "queued"


def test_a_run_past_its_time_box_is_a_failure_of_the_run(spine, handler):
    class OutOfTime(Exception):
        """The backend's own."""

    def handle(claim: Claim) -> dict:
        raise OutOfTime

    handler(handle)
    job = spine.one_job()
    runner.run(job.id, timed_out=(OutOfTime,))
    assert spine.look(job) == "retrying"
    assert "TimeBoxExceeded" in spine.look(job, "message")


def test_while_a_handler_works_its_lease_is_renewed(spine, handler, configure, until):
    configure(LEASE=0.3)
    started, go_on = threading.Event(), threading.Event()

    def slow(claim: Claim) -> dict:
        started.set()
        assert go_on.wait(10)
        return {}

    handler(slow)
    job = spine.one_job()
    running = threading.Thread(target=runner.run, args=(job.id,))
    running.start()
    assert started.wait(10)
    first = spine.look(job, "lease_until")
    until(lambda: spine.one("SELECT now() > %s + interval '0.2 s'", first))
    with unit() as s:
        assert scheduler.reap(s) == []
    go_on.set()
    running.join(10)
    assert spine.look(job) == "succeeded"
    assert spine.look(job, "deliveries") == 1
