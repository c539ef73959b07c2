"""What others may leave on a queue: it is kept for somebody to look at, and what is behind it goes on."""

import json
import pickle
import time
from uuid import uuid4

import pytest
from app.on_celery import to_rabbitmq, topology
from app.shared import dead_letters, outbox
from kombu import Connection
from redis import Redis

from billing.db import unit

NOW = "2026-01-01T00:00:00+00:00"


def call(kind: object, after: object = None) -> bytes:
    return json.dumps([[str(uuid4()), kind], {}, after or {}]).encode()


def headers(task: object, **more: object) -> dict[str, object]:
    return {"lang": "py", "task": task, "id": uuid4().hex, **more}


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


def foreign() -> list[tuple[bytes, dict[str, object]]]:
    """(body, how it is published), none of them ours."""
    json_, pickle_ = {"content_type": "application/json"}, {"content_type": "application/x-python-serialize"}
    chain = {"chain": [{"task": "noop", "args": [str(uuid4()), "noop"], "kwargs": {}, "options": {}}]}
    return [
        (b"\x00\xff garbage", {"content_type": "application/octet-stream"}),
        (b"\x00\xff garbage", json_ | {"headers": headers("noop")}),
        (pickle.dumps(Bomb()), pickle_ | {"headers": headers("noop")}),
        (b"{}", json_),  # no headers
        (b'{"task": "noop", "id": "1", "args": [], "kwargs": {}}', json_),  # protocol 1
        (call("noop"), json_ | {"headers": headers("os.system")}),
        (call("fax.send"), json_ | {"headers": headers("fax.send")}),
        (call("email.send"), json_ | {"headers": headers("noop")}),
        (call("noop", chain), json_ | {"headers": headers("noop")}),
        (call("noop"), json_ | {"headers": headers(["noop"])}),
        (b"[" * 100_000, json_ | {"headers": headers("noop")}),
        (call("noop"), json_ | {"headers": headers("noop", compression="zlib")}),
    ]


def lay(url: str) -> None:
    with Connection(url, transport_options={"priority_steps": [0]}) as connection:
        if url.startswith("amqp"):
            connection.connect()
            topology.declare(connection.default_channel)
        producer = connection.Producer()
        for body, properties in foreign():
            producer.publish(body, exchange="", routing_key="noops", content_encoding="binary", **properties)
    if url.startswith("redis"):
        with Redis.from_url(url) as redis:
            for item in (b"\xff\xfe", b"", b"null", b"[]", b'{"properties": 7}', b'{"a": {"__type__": "x"}}'):
                redis.lpush("noops", item)


@pytest.fixture
def url(on_celery, request, server) -> str:
    return request.getfixturevalue(f"{server}_url")


def test_whatever_lies_on_a_queue_a_worker_runs_nothing_of_it_and_goes_on_with_its_work(
    spine, house, worker, until, url
):
    lay(url)
    one = worker("quick")
    job = spine.one_job()
    until(lambda: spine.look(job) == "succeeded", 40)
    expected = len(foreign()) + (6 if url.startswith("redis") else 0)

    def kept() -> int:
        with unit() as s:
            return sum(row["deliveries"] for row in dead_letters.listing(s) if row["error_class"] == "Undecodable")

    until(lambda: kept() == expected)
    assert spine.one("SELECT count(*) FROM jobs") == 1
    assert one.process.poll() is None
    one.process.terminate()
    assert one.process.wait(20) == 0


def test_a_message_of_ours_with_wishes_of_its_own_is_run_without_them(spine, house, worker, until, url):
    """Delays, limits and expiry are Celery's, and anyone's who can write to the broker; ours never have any."""
    job = spine.new()
    with unit() as s:
        outbox.add(s, job)
    spine.rows("UPDATE outbox SET published_at = now()")
    wishes = {"eta": "2099-01-01T00:00:00+00:00", "expires": NOW, "timelimit": [0.001, 0.001], "stamped_headers": ["x"]}
    with Connection(url, transport_options={"priority_steps": [0]}) as connection:
        if url.startswith("amqp"):
            connection.connect()
            topology.declare(connection.default_channel)
        connection.Producer().publish(
            json.dumps([[str(job.id), "noop"], {}, {}]).encode(),
            exchange="",
            routing_key="noops",
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers("noop", **wishes),
        )
    worker("quick")
    until(lambda: spine.look(job) == "succeeded", 30)
    assert spine.one("SELECT count(*) FROM outbox") == 1, "it ran by this message, not by one sent in its place"


def test_what_no_queue_takes_is_not_confirmed_and_the_queue_is_made_again(rabbitmq_url):
    from app.shared.core import Envelope

    line = to_rabbitmq.RabbitMQ(rabbitmq_url)
    trace = "00-" + "1" * 32 + "-" + "1" * 16 + "-01"
    noops, mails = [[Envelope(uuid4(), kind, trace) for _ in range(3)] for kind in ("noop", "email.send")]
    assert len(line.publish([*noops, *mails])) == 6
    with to_rabbitmq.connect(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_delete("emails")
    assert line.publish([*noops, *mails]) == {e.job_id for e in noops}
    assert line.depth("emails") == 0
    assert line.publish(mails) == {e.job_id for e in mails}
    assert (line.depth("emails"), line.depth("noops")) == (3, 6)
    line.close()


def test_a_refused_message_is_not_confirmed(rabbitmq_url):
    """A queue that is full and may not overflow answers nack."""
    from app.on_celery.confirms import Press, Sheet

    with to_rabbitmq.connect(rabbitmq_url) as connection:
        with connection.channel() as channel:
            full = {"x-max-length": 1, "x-overflow": "reject-publish"}
            channel.queue_declare("full", auto_delete=False, exclusive=True, arguments=full)
        press = Press(connection)
        assert press.publish([Sheet("a", "full", b"1", {})]) == set()
        assert "c" in press.publish([Sheet("b", "full", b"2", {}), Sheet("c", "full", b"3", {})])


@pytest.mark.parametrize("which", ["redis", "rabbitmq"])
def test_a_broker_that_hangs_is_given_up_on_before_the_relays_transaction_is(which, request):
    from app.on_celery import to_redis
    from app.shared.core import BrokerDown, Envelope

    url = request.getfixturevalue(f"{which}_url")
    frozen = request.getfixturevalue(f"{which}_server")
    line = to_redis.Redis(url) if which == "redis" else to_rabbitmq.RabbitMQ(url)
    one = Envelope(uuid4(), "noop", "")
    line.mark_epoch("e1")
    assert line.publish([one])
    for ask in (line.epoch, lambda: line.publish([one]), lambda: line.depth("noops")):
        ask()  # over a connection that is open by now
        frozen.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(BrokerDown):
                ask()
            assert time.monotonic() - began < 6
        finally:
            frozen.thaw()
        assert line.epoch() == "e1"
    assert line.publish([one])
    line.close()
