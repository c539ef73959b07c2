"""Celery's workers killed in every way, stopped under load, and given work that kills them or never ends."""

import os
import signal
import time

import psutil
from app.on_celery import to_rabbitmq, topology
from app.shared import relay

from billing.settings import settings
from tests.on_celery.conftest import LEASE, hung_up, kill_tree


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_child_costs_its_job_two_leases_at_most(spine, house, worker, acting, until):
    one = worker("pause")
    job = spine.one_job()
    child, _ = acting(one)
    os.kill(child, signal.SIGKILL)
    killed_at = time.monotonic()
    successor, delivery = acting(one)
    until(lambda: spine.look(job) == "succeeded")
    assert time.monotonic() - killed_at < 2 * LEASE
    assert (delivery, spine.look(job, "deliveries")) == (2, 2)
    assert successor != child


def test_a_killed_parent_takes_its_child_along_and_another_worker_takes_the_job(spine, house, worker, acting, until):
    one = worker("pause")
    job = spine.one_job()
    child, _ = acting(one)
    other = worker("pause")
    until(lambda: len(psutil.Process(other.pid).children()) == 1, 30)
    one.kill()
    killed_at = time.monotonic()
    until(lambda: gone(child))
    assert acting(other)[1] == 2
    until(lambda: spine.look(job) == "succeeded")
    assert time.monotonic() - killed_at < 2 * LEASE


def test_a_killed_tree_costs_its_job_two_leases_at_most_when_others_are_there(spine, house, worker, acting, until):
    one = worker("pause")
    job = spine.one_job()
    acting(one)
    other = worker("pause")
    until(lambda: len(psutil.Process(other.pid).children()) == 1, 30)
    kill_tree(one)
    killed_at = time.monotonic()
    assert acting(other)[1] == 2
    until(lambda: spine.look(job) == "succeeded")
    assert time.monotonic() - killed_at < 2 * LEASE


def test_a_worker_that_is_told_to_stop_ends_its_jobs_gives_back_the_rest_and_loses_nothing(
    spine, house, worker, acting, until, configure
):
    configure(IO_SLOTS=3)
    one = worker("quick")
    jobs = spine.accept(*(spine.new() for _ in range(120)))
    for _ in range(20):
        acting(one)
    one.process.terminate()
    # A child waits up to 30 s for its parent to have read its last result, and the parent that stops reads no more
    # (billiard/pool.py, _ensure_messages_consumed). Seldom, and nothing is lost: the message is only not acknowledged.
    assert one.process.wait(60) == 0
    ended = spine.one("SELECT count(*) FROM jobs WHERE state = 'succeeded'")
    assert 20 <= ended < 120, "it did not stop at once, and it did not go on to the end"
    assert spine.one("SELECT count(*) FROM jobs WHERE state = 'running'") == 0
    worker("quick")
    until(lambda: spine.one("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == len(jobs), 30)
    assert spine.one("SELECT sum(deliveries) FROM jobs") == len(jobs), "no job ran twice"


def test_a_job_that_kills_every_worker_is_parked_after_a_few(spine, house, worker, until):
    worker("die")
    job = spine.one_job()
    until(lambda: spine.look(job) == "failed", 40)
    assert spine.rows("SELECT job_id, error_class FROM dead_letters") == [(job.id, "WorkerKilled")]
    assert spine.look(job, "deliveries") == settings().max_crashes


def test_a_job_that_never_ends_is_stopped_within_its_time_box_and_tried_again(spine, house, worker, until, configure):
    configure(TIME_BOX=3)
    worker("hang")
    job = spine.one_job()
    until(lambda: spine.look(job) == "succeeded", 30)
    assert spine.look(job, "failures") == 1, "a failure that was recorded, not a worker that was lost"
    assert [state for _, state in spine.events(job)][:3] == ["queued", "running", "retrying"]


def test_what_rabbitmq_gives_up_on_is_counted_and_comes_back(rabbitmq_url, request, spine, worker, until, monkeypatch):
    """A message that died with one consumer after the other, before its job was ever claimed."""
    monkeypatch.setenv("BACKEND", "celery-rabbitmq")
    monkeypatch.setenv("BROKER_URL", rabbitmq_url)
    settings.cache_clear()
    connection = to_rabbitmq.connect(rabbitmq_url)
    with connection, connection.channel() as channel:
        topology.declare(channel)
        job = spine.one_job()
        with hung_up(rabbitmq_url):
            assert relay.run_once() == 1
        for _ in range(topology.DELIVERY_LIMIT + 1):
            message = until(lambda: channel.basic_get("noops", no_ack=False))
            channel.basic_reject(message.delivery_tag, requeue=True)
        until(lambda: channel.queue_declare("dead", passive=True).message_count == 1)
        assert channel.basic_get("noops") is None
    request.getfixturevalue("house_on_rabbitmq")
    worker("quick")
    until(lambda: spine.look(job) == "succeeded", 30)
    assert spine.look(job, "deliveries") == 2, "the one that RabbitMQ gave up on, and the one that did it"
