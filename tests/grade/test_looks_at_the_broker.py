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
BACK = 0.7  # s until a message that was looked at is back


def test_three_rounds_of_looks_make_no_message_a_dead_letter(rabbitmq_url: str) -> None:
    stage = stage_at(rabbitmq_url, "celery-rabbitmq")
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
    client = Redis.from_url(redis_url)
    client.lpush("webhooks", JOB)
    with modules(7) as exercise:
        peek = exercise.waiting.Peek(stage_at(redis_url, "celery-redis"))
        assert peek.queue_of(JOB) == "webhooks"
        relay = threading.Thread(target=publish_as_it_goes, args=(client,))
        relay.start()
        peek.forget("webhooks")
        relay.join()


def test_a_message_is_lost_though_it_is_only_on_its_way_back_from_a_look(rabbitmq_url: str) -> None:
    connection = connect(rabbitmq_url)
    with modules(7) as exercise, connection, connection.channel() as channel:
        topology.declare(channel)
        channel.basic_publish(amqp.Message(JOB, delivery_mode=2), exchange="", routing_key="webhooks")
        stage = stage_at(rabbitmq_url, "celery-rabbitmq")
        peek = exercise.waiting.Peek(stage)
        assert processes.until(lambda: peek.queue_of(JOB) == "webhooks", 5)

        looks = connection.channel()
        assert processes.until(lambda: looks.basic_get("webhooks", no_ack=False) is not None, 5)
        back = threading.Timer(BACK, looks.close)
        back.start()
        peek.forget("webhooks")
        back.join()
        assert not processes.until(lambda: bool(exercise.waiting.lengths(stage)), BACK), "it came back"


def publish_as_it_goes(client: Redis) -> None:
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


def stage_at(broker: str, backend: str) -> Any:
    addresses = SimpleNamespace(broker=broker)
    return SimpleNamespace(stack=SimpleNamespace(addresses=addresses), backend=backend, until=processes.until)


def come_one_by_one(url: str, jobs: list[str]) -> None:
    connection = connect(url)
    with connection, connection.channel() as channel:
        for job in jobs:
            channel.basic_publish(amqp.Message(job, delivery_mode=2), exchange="", routing_key="payouts")
            time.sleep(APART)  # that they come apart is the very thing
