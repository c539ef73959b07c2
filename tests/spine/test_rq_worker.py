"""RQ's own worker, as real processes: killed in every way, and fed with what others may write into Redis."""

import json
import os
import signal
import time
import zlib
from uuid import uuid4

import psutil
import pytest
from app.shared import dead_letters
from redis import Redis

from billing.db import unit
from tests.spine.conftest import relay_and_scheduler

LEASE = 2


@pytest.fixture
def house(on_rq, configure):
    """Relay and scheduler at work beside the test, with a lease of 2 s and one worker a pool."""
    configure(LEASE=LEASE, IO_SLOTS=1, CPU_SLOTS=1, REAPER_PERIOD=0.4)
    with relay_and_scheduler():
        yield


def acting(worker) -> tuple[int, int]:
    """(pid, which delivery) of the run that begins."""
    while not (line := worker.line()).startswith("acting"):
        pass  # RQ's first words, before it logs as we do
    _, pid, delivery = line.split()
    return int(pid), int(delivery)


def test_a_killed_child_costs_its_job_two_leases_at_most(spine, house, actor, until):
    pool = actor("workers")
    job = spine.one_job()
    child, delivery = acting(pool)
    assert delivery == 1
    os.kill(child, signal.SIGKILL)
    killed_at = time.monotonic()
    successor, delivery = acting(pool)
    assert delivery == 2
    assert successor != child, "the pool has started another"
    until(lambda: spine.look(job) == "succeeded")
    assert time.monotonic() - killed_at < 2 * LEASE
    assert spine.look(job, "deliveries") == 2


def test_a_run_that_outlasts_its_time_box_is_a_failure_of_the_run_and_not_of_the_worker(
    spine, house, configure, actor, until
):
    configure(TIME_BOX=4, LEASE=10)
    pool = actor("workers")
    job = spine.one_job()
    child, _ = acting(pool)
    successor, delivery = acting(pool)  # the first delivery waits for ever; the second ends at once
    assert (successor, delivery) == (child, 2), "the worker lives on"
    until(lambda: spine.look(job) == "succeeded")
    assert spine.look(job, "failures") == 1
    told = spine.rows("SELECT message FROM job_events WHERE state = 'retrying'")
    assert "TimeBoxExceeded" in told[0][0]


def test_a_killed_tree_costs_its_job_two_leases_at_most_when_others_are_there(spine, house, actor, until):
    pool = actor("workers")
    job = spine.one_job()
    child, _ = acting(pool)
    other = actor("workers")
    until(lambda: psutil.Process(other.pid).children())
    os.kill(pool.pid, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    killed_at = time.monotonic()
    successor, delivery = acting(other)
    assert (psutil.Process(successor).ppid(), delivery) == (other.pid, 2)
    until(lambda: spine.look(job) == "succeeded")
    assert time.monotonic() - killed_at < 2 * LEASE


def test_a_killed_parent_leaves_a_child_that_ends_its_job_and_then_itself(spine, house, actor, until):
    """An orphan that went on for ever would be a worker that nobody counts, and nobody stops."""
    pool = actor("workers")
    job = spine.one_job()
    child, _ = acting(pool)
    pool.kill()
    pool.go_on()
    until(lambda: spine.look(job) == "succeeded")
    assert spine.look(job, "deliveries") == 1
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_an_idle_orphan_goes_at_once(spine, house, actor, until):
    pool = actor("workers")
    child = until(lambda: psutil.Process(pool.pid).children())[0]
    job = spine.one_job()
    acting(pool)
    pool.go_on()
    until(lambda: spine.look(job) == "succeeded")
    pool.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_worker_that_is_told_to_stop_ends_its_job_first(spine, house, actor, until):
    pool = actor("workers")
    job = spine.one_job()
    acting(pool)
    pool.process.terminate()
    pool.go_on()
    assert pool.process.wait(10) == 0
    assert spine.look(job) == "succeeded"
    assert spine.look(job, "deliveries") == 1


def garbage(redis: Redis, queue: str, fields: dict, job_id: str | None = None) -> None:
    """What somebody with access to Redis may leave there."""
    job_id = job_id or uuid4().hex
    if fields:
        redis.hset(f"rq:job:{job_id}", mapping=fields)
    redis.rpush(f"rq:queue:{queue}", job_id)


def call(function: str, *arguments: str) -> bytes:
    return zlib.compress(json.dumps([function, None, list(arguments), {}]).encode())


@pytest.mark.parametrize(("pool", "queue", "kind"), [("io", "noops", "noop"), ("cpu", "reports", "report.export")])
def test_whatever_lies_in_redis_a_worker_runs_nothing_of_it_and_goes_on_with_its_work(
    spine, house, actor, until, redis_url, tmp_path, pool, queue, kind
):
    """One queue a worker, or several: RQ has different ways of taking a message for each."""
    redis = Redis.from_url(redis_url)
    planted = tmp_path / "planted"
    plant = f"touch {planted}"
    ours = call("app.on_rq.worker.perform", str(uuid4()), "noop")
    common = {"origin": queue, "status": "queued", "timeout": "60", "created_at": "2026-01-01T00:00:00.000000Z"}
    garbage(redis, queue, {})  # an id without a hash
    garbage(redis, queue, {}, "no id / at all")
    redis.rpush(f"rq:queue:{queue}", b"\xff\xfe\x00")
    garbage(redis, queue, {"colour": "blue"})  # a hash that is no job
    garbage(redis, queue, common | {"data": b"\x80\x04garbage"})
    garbage(redis, queue, common | {"data": zlib.compress(b"[" * 100_000)})
    garbage(redis, queue, common | {"data": zlib.compress(b'{"a": 1}')})
    garbage(redis, queue, common | {"data": call("os.system", plant)})
    garbage(redis, queue, common | {"data": call("app.on_rq.worker.perform", str(uuid4()), "fax.send")})
    # Ours by its data, but with fields by which RQ would import and call, or repeat, or ask elsewhere.
    # (Whoever imports `this` prints a poem.)
    garbage(redis, queue, common | {"data": ours, "success_callback_name": "this.s", "group_id": "g"})
    garbage(redis, queue, common | {"data": call("os.system", plant), "failure_callback_name": "this.s"})
    broken = {"created_at": "yesterday", "timeout": "soon", "status": "blue", "result_ttl": "x", "meta": b"\x80\x04."}
    garbage(redis, queue, {"data": call("os.system", plant), "origin": queue} | broken)
    redis.set("rq:job:a-string", "not a hash")
    redis.rpush(f"rq:queue:{queue}", "a-string")

    worker = actor(command=["-m", "app", "worker", pool])
    job = spine.one_job(kind)
    done = ("succeeded", "failed")  # a report of made-up arguments fails: it ran
    until(lambda: spine.look(job) in done, 40)
    until(lambda: redis.llen(f"rq:queue:{queue}") == 0)
    with unit() as s:
        letters = [row for row in dead_letters.listing(s) if row["error_class"] == "Undecodable"]
    # three that are no ids of jobs, seven with data of their own
    assert sum(row["deliveries"] for row in letters) == 10, [dict(row) for row in letters]
    assert sum("no job's id" in row["reason"] for row in letters) == 3
    assert {row["queue"] for row in letters} == {queue, "unknown"}
    assert not planted.exists()
    again = spine.one_job(kind)
    until(lambda: spine.look(again) in done, 20)
    assert worker.process.poll() is None
    worker.process.terminate()
    assert worker.process.wait(20) == 0
    assert b"Beautiful is better than ugly" not in worker.process.stdout.read()
    redis.close()
