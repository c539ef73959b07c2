"""Leases: they end by Postgres' clock, are renewed while the work lives, and never past its time box."""

import time

import pytest
from app.shared import claims, leases
from app.shared.core import LostLease

from billing.db import unit

from .steps import claim, expire


def test_a_lease_ends_by_the_clock_of_postgres_and_no_other(spine, monkeypatch):
    job = spine.one_job()
    claim(job)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setattr(time, "monotonic", lambda: 4e9)
    assert expire() == []
    spine.end_lease(job)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    assert [found.id for found in expire()] == [job.id]
    assert spine.look(job) == "queued"
    assert spine.events(job)[-1] == (3, "queued")


def test_renewal_moves_the_lease_on_but_never_past_the_time_box(spine, configure):
    configure(LEASE=10, TIME_BOX=14)
    job = spine.one_job()
    mine = claim(job)
    with unit() as s:
        claims.renew(s, mine)
    assert spine.one("SELECT lease_until <= deadline AND lease_until > now() + interval '9 s' FROM jobs")
    spine.rows("UPDATE jobs SET deadline = now() + interval '3 s'")
    with unit() as s:
        claims.renew(s, mine)
    assert spine.one("SELECT lease_until = deadline FROM jobs")
    assert mine.lease_until <= mine.deadline
    spine.rows("UPDATE jobs SET deadline = now() - interval '1 ms'")
    with unit() as s, pytest.raises(LostLease):
        claims.renew(s, mine)


def test_a_time_box_shorter_than_the_lease_ends_the_lease(spine, configure):
    configure(LEASE=10, TIME_BOX=3)
    mine = claim(spine.one_job())
    assert spine.one("SELECT lease_until <= deadline FROM jobs")
    assert mine.lease_until <= mine.deadline


def test_a_worker_thinks_that_its_lease_ends_before_postgres_does(spine):
    """The local idea of it is taken before the statement is sent, so it is never the longer one."""
    job = spine.one_job()
    mine = claim(job)
    left = spine.one("SELECT extract(epoch FROM lease_until - clock_timestamp())::float FROM jobs")
    assert mine.lease_until - time.monotonic() <= left


def test_the_lease_of_work_that_lives_is_renewed_and_that_of_ended_work_is_not(spine, configure, until):
    configure(LEASE=0.3, TIME_BOX=60)
    job = spine.one_job()
    mine = claim(job)
    first = spine.look(job, "lease_until")
    with leases.kept(mine):
        until(lambda: spine.look(job, "lease_until") > first)
        until(lambda: spine.one("SELECT now() > %s + interval '0.3 s'", first))
        assert expire() == []
    assert until(expire), "left alone, it ends"


def test_renewal_outlives_a_row_that_was_locked_for_too_long(spine, configure, until, monkeypatch):
    """One error must not end the thread: every later job of this process would lose its lease."""
    configure(LEASE=0.3, TIME_BOX=60)
    from sqlalchemy import event

    from billing import db

    @event.listens_for(db.engine(), "connect")
    def impatient(connection, _record) -> None:
        connection.execute("SET lock_timeout = '50ms'")
        connection.commit()

    job = spine.one_job()
    mine = claim(job)
    refused: list[str] = []
    monkeypatch.setattr(leases.log, "error", lambda *_, **__: refused.append("lock"), raising=False)
    with leases.kept(mine):
        with unit() as s:
            claims.hold(s, mine)
            until(lambda: refused)
        spine.rows("UPDATE jobs SET lease_until = now() + interval '1 ms'")
        until(lambda: spine.one("SELECT lease_until > now() + interval '0.2 s' FROM jobs"))


def test_renewal_stops_for_a_job_that_was_taken_over(spine, configure, until):
    configure(LEASE=0.3)
    job = spine.one_job()
    mine = claim(job)
    with leases.kept(mine):
        spine.rows("UPDATE jobs SET fence = fence + 1")
        until(lambda: not leases._renewer.claims)
