"""A broker that loses everything under way, and Celery's own tools while the system works."""

import threading

import pytest


@pytest.fixture
def wipe(server, request):
    """The data is gone and every connection is cut."""
    if server == "redis":
        return request.getfixturevalue("redis_server").wipe
    return request.getfixturevalue("rabbitmq_server").wipe


def test_a_wiped_broker_costs_time_and_nothing_else(spine, house, worker, acting, until, wipe):
    one = worker("quick")
    jobs = spine.accept(*(spine.new() for _ in range(150)))
    for _ in range(10):
        acting(one)
    wipe()
    until(lambda: spine.one("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == len(jobs), 60)
    assert one.process.poll() is None, "the worker lived through it"


def test_a_mark_that_another_relay_looks_at_over_a_slow_line_is_no_wiped_broker(rabbitmq_url):
    from app.on_celery.to_rabbitmq import RabbitMQ, connect
    from app.on_celery.topology import MARK

    line = RabbitMQ(rabbitmq_url)
    line.mark_epoch("e1")
    other = connect(rabbitmq_url)
    looks = other.channel()
    assert looks.basic_get(MARK, no_ack=False) is not None
    back = threading.Timer(0.4, looks.close)
    back.start()
    assert line.epoch() == "e1"
    back.join()
    other.close()
    line.close()


def test_celery_inspect_shows_what_is_being_done_by_ids_alone(spine, house, worker, acting, until, request, server):
    from celery import Celery
    from kombu import pools

    one = worker("pause")
    job = spine.one_job()
    acting(one)
    app = Celery(broker=request.getfixturevalue(f"{server}_url"), set_as_current=False)
    with app.connection_for_read() as connection:
        inspect = app.control.inspect(timeout=3, connection=connection)
        ((name, active),) = until(inspect.active, 15).items()
        (queues,) = inspect.active_queues().values()
    assert name.startswith("io-")
    assert [(task["name"], task["args"]) for task in active] == [("noop", [str(job.id), "noop"])]
    expected = {"payouts", "emails", "webhooks", "noops"} | ({"dead"} if server == "rabbitmq" else set())
    assert {queue["name"] for queue in queues} == expected
    pools.reset()  # the question went out through a pool of kombu's, which would outlive the app
    app.close()
    one.go_on()
    until(lambda: spine.look(job) == "succeeded")
