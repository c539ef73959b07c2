"""What the spine promises whichever broker is below it: what was held comes again, what was wiped comes back."""

from uuid import uuid4

import psycopg
import pytest
from app.shared import claims, jobs, outbox, relay, runner, scheduler
from app.shared.core import BrokerDown

from billing.db import unit

from .messages import TRACEPARENT, drain


@pytest.fixture
def spine(app_environment, driver, monkeypatch: pytest.MonkeyPatch, postgres_url: str):
    """sql(statement, *values), over the database that relay and workers use."""
    monkeypatch.setattr(relay, "_next_look", 0.0)
    if hasattr(driver, "url"):
        driver.up()  # `app_environment` has set the environment of this very Redis
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("INSERT INTO tenants VALUES ('acme', 'Acme', 'not a hash')")

        def sql(statement: str, *values: object) -> list[tuple]:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

        yield sql


def accepted() -> jobs.Job:
    job = jobs.new(
        "noop", "acme", f"acme:{uuid4()}:1", {}, aggregate="acme:a", trace_id="1" * 32, traceparent=TRACEPARENT
    )
    with unit() as s:
        assert outbox.add(s, job)
    return job


def test_what_a_consumer_held_when_it_died_comes_again(spine, driver, broker):
    """By the broker itself, or else by the scheduler's search for lost messages."""
    job = accepted()
    assert relay.run_once() == 1
    assert driver.take("noops") is not None
    driver.die()
    if not driver.redelivers:
        assert driver.take("noops") is None
        spine("UPDATE outbox SET published_at = published_at - interval '1 h'")
        with unit() as s:
            assert scheduler.restore(s, scheduler.empty_queues()) == [job.id]
        assert relay.run_once() == 1
    tag, raw = driver.take("noops")
    runner.deliver(raw, "noops")
    driver.ack(tag)
    driver.die()
    assert driver.take("noops") is None, "what was acknowledged never comes again"
    assert spine("SELECT state, deliveries FROM jobs") == [("succeeded", 1)]


def test_a_message_that_kills_whoever_takes_it_does_so_a_few_times_and_no_more(spine, driver, monkeypatch):
    monkeypatch.setenv("MAX_CRASHES", "3")
    job, killed = accepted(), 0
    for _ in range(20):
        relay.run_once()
        tag, raw = driver.take("noops")
        try:
            with unit() as s:
                claims.claim(s, job.id)
        except claims.Exhausted:
            runner.deliver(raw, "noops")
            driver.ack(tag)
            break
        killed += 1
        driver.die()
        spine("UPDATE jobs SET lease_until = now() - interval '1 s'")
        with unit() as s:
            assert scheduler.reap(s) == [job.id]
    assert killed == 3
    assert spine("SELECT state FROM jobs") == [("failed",)]
    assert spine("SELECT job_id, error_class FROM dead_letters") == [(job.id, "WorkerKilled")]


def test_a_wiped_broker_gets_everything_queued_again(spine, driver, broker, monkeypatch):
    waiting = [accepted() for _ in range(20)]
    relay.run_once()
    driver.wipe()
    monkeypatch.setattr(relay, "_next_look", 0.0)
    assert relay.run_once() == 20
    assert drain(driver, "noops") == [job.id for job in waiting]


def test_while_the_broker_is_down_the_outbox_keeps_everything(spine, driver):
    waiting = [accepted() for _ in range(3)]
    driver.down()
    with pytest.raises(BrokerDown):
        relay.run_once()
    driver.up()
    assert relay.run_once() == 3
    assert drain(driver, "noops") == [job.id for job in waiting]
