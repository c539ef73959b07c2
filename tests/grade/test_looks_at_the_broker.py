"""Exercise 7 reads every message on the raw broker, and RabbitMQ counts each look at one as a delivery."""

import threading
import time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import amqp
import pytest
from app.on_celery import topology
from app.on_celery.to_rabbitmq import connect
from redis import Redis

from accepted.stack import processes
from tests.grade.beside import modules

ROUNDS, EACH = 3, 5
JOB = "aaefe7fe-1c2d-4f60-9a1b-2c3d4e5f6071"
TRACE = "00-2eb7ae2988f64b636e74b4688d58b1ac-b7ad6b7169203331-01"  # by chance one that looks like a UUID of version 4
APART = 0.25  # s between two messages, as on a slow line
SETTLED = 4 * APART


def test_three_rounds_of_looks_make_no_message_a_dead_letter(rabbitmq_url: str) -> None:
    addresses = SimpleNamespace(broker=rabbitmq_url)
    stage: Any = SimpleNamespace(
        stack=SimpleNamespace(addresses=addresses), backend="celery-rabbitmq", until=processes.until
    )
    connection = connect(rabbitmq_url)
    with modules(7) as exercise, connection, connection.channel() as channel:
        topology.declare(channel)
        for number in range(ROUNDS):
            jobs = [str(uuid4()) for _ in range(EACH)]
            peek = exercise.waiting.Peek(stage)
            relay = threading.Thread(target=come_one_by_one, args=(rabbitmq_url, jobs))
            relay.start()
            peek.wait(jobs, SETTLED, 20)
            relay.join()

            named = [exercise.waiting.ids(text) for text in peek.texts()]
            assert all(any(job in one for one in named) for job in jobs)
            assert exercise.waiting.lengths(stage) == {"payouts": EACH * (number + 1)}


def test_a_message_is_lost_though_another_relay_publishes_it_again(redis_url: str) -> None:
    addresses = SimpleNamespace(broker=redis_url)
    stage: Any = SimpleNamespace(
        stack=SimpleNamespace(addresses=addresses), backend="celery-redis", until=processes.until
    )
    client = Redis.from_url(redis_url)
    client.lpush("webhooks", JOB)
    relay = threading.Thread(target=publish_again, args=(client, 3))
    relay.start()
    with modules(7) as exercise:
        while relay.is_alive():
            exercise.waiting.forget(stage, "webhooks")
        exercise.waiting.forget(stage, "webhooks")
        assert exercise.waiting.lengths(stage) == {}


def publish_again(client: Redis, times: int) -> None:
    for _ in range(times):
        while client.llen("webhooks"):
            pass
        client.lpush("webhooks", JOB)


def test_a_trace_id_is_no_job() -> None:
    with modules(7) as exercise:
        assert exercise.waiting.ids(f'{{"job_id": "{JOB}", "traceparent": "{TRACE}"}}') == {JOB}


@pytest.mark.parametrize("written", [JOB, JOB.replace("-", ""), JOB.upper()])
def test_a_job_is_known_with_dashes_without_and_in_capitals(written: str) -> None:
    with modules(7) as exercise:
        assert exercise.waiting.ids(f"[{written}]") == {JOB}


def come_one_by_one(url: str, jobs: list[str]) -> None:
    connection = connect(url)
    with connection, connection.channel() as channel:
        for job in jobs:
            channel.basic_publish(amqp.Message(job, delivery_mode=2), exchange="", routing_key="payouts")
            time.sleep(APART)  # that they come apart is the very thing
