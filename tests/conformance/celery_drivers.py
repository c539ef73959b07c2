"""The drivers of the two brokers under Celery; conftest.py says what a driver is."""

import base64
import json
import socket
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from app.shared import backend
from app.shared.core import Broker

from billing.settings import settings


class Celerys:
    """Both brokers under Celery: the consuming side is kombu's, with the transport that our workers use."""

    backend, server = "", ""
    redelivers = True
    vocabulary = frozenset(
        # kombu's envelope and Celery's headers, of protocol 2
        b"body content type encoding application json utf headers properties lang task root parent null group retries"
        b" argsrepr kwargsrepr ignore result true traceparent correlation delivery mode info exchange routing key"
        b" priority tag base message count"
        # where things are
        b" emails payouts reports webhooks noops accepted epoch".split()
    )

    def __init__(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        self.monkeypatch = monkeypatch
        self.url = request.getfixturevalue(self.server + "_url")
        monkeypatch.setenv("BACKEND", self.backend)
        self._point_to(self.url)
        self.broker: Broker = backend.broker()
        self.connection: Any = None
        self.consumer: Any = None

    def _point_to(self, url: str) -> None:
        self.monkeypatch.setenv("BROKER_URL", url)
        settings.cache_clear()

    def _channel(self) -> Any:
        if self.consumer is None:
            from kombu import Connection

            self.connection = Connection(self.url, **self._transport())
            self.consumer = self.connection.channel()
            self.consumer.basic_qos(0, 1000, False)
        return self.consumer

    def _transport(self) -> dict[str, Any]:
        return {}

    def take(self, queue: str) -> tuple[Any, bytes] | None:
        from app.on_celery.messages import raw_of

        got = self._get(queue)
        if got is None:
            return None
        message = got if hasattr(got, "acknowledged") else self._channel().message_to_python(got)
        return message, raw_of(message)

    def _get(self, queue: str) -> Any:
        return self._channel().basic_get(queue, no_ack=False)

    def ack(self, tag: Any) -> None:
        tag.ack()

    def die(self) -> None:
        if self.consumer is not None:
            self.connection.release()
            self.consumer = None

    def forgeries(self) -> Mapping[str, bytes]:
        id_ = str(uuid4())

        def body(arguments: Any, keywords: Any = (), after: Any = ()) -> bytes:
            return json.dumps([arguments, dict(keywords), dict(after)]).encode()

        return {
            "another kind": body([id_, "fax.send"]),
            "a kind that is none": body([id_, ["noop"]]),
            "no id": body(["7", "noop"]),
            "an id that is a number": body([7, "noop"]),
            "too many arguments": body([id_, "noop", "rm -rf"]),
            "too few": body([id_]),
            "keyword arguments": body([id_, "noop"], {"countdown": 1}),
            "something to do afterwards": body([id_, "noop"], {}, {"callbacks": [{"task": "noop", "args": []}]}),
            "a chain": body([id_, "noop"], {}, {"chain": [{"task": "noop"}]}),
        }

    def up(self) -> None:
        self._point_to(self.url)

    def down(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            scheme = self.url.partition("://")[0]
            self._point_to(f"{scheme}://127.0.0.1:{free.getsockname()[1]}/0")

    def close(self) -> None:
        from app.on_celery import broker

        self.die()
        for url in (self.url, settings().broker):
            broker.line(url).close()
        broker.line.cache_clear()


class CeleryRedis(Celerys):
    backend, server = "celery-redis", "redis"

    def _transport(self) -> dict[str, Any]:
        return {"transport": "app.on_celery.transport:Transport", "transport_options": {"priority_steps": [0]}}

    def _plain(self) -> Any:
        from redis import Redis

        return Redis.from_url(self.url)

    def die(self) -> None:
        """As its peers see it after the visibility time-out: they give back to the queue what it held."""
        if self.consumer is not None:
            self.consumer.qos.restore_unacked()
        super().die()

    def put(self, queue: str, raw: bytes) -> None:
        with self._plain() as redis:
            redis.lpush(queue, raw)

    def everything(self) -> bytes:
        found = []
        with self._plain() as redis:
            for key in redis.scan_iter():
                found.append(key)
                for item in redis.lrange(key, 0, -1):
                    known = json.loads(item)
                    del known["properties"]["delivery_tag"]  # a random id
                    known["body"] = base64.b64decode(known["body"]).decode()
                    found.append(json.dumps(known).encode())
        return b"\n".join(found)

    def wipe(self) -> None:
        with self._plain() as redis:
            redis.flushdb()


class CeleryRabbitMQ(Celerys):
    backend, server = "celery-rabbitmq", "rabbitmq"

    def _get(self, queue: str) -> Any:
        from amqp.exceptions import NotFound

        try:
            return super()._get(queue)
        except NotFound:  # nobody has published here yet
            self.die()
            return None

    def put(self, queue: str, raw: bytes) -> None:
        from app.on_celery import to_rabbitmq, topology
        from app.on_celery.confirms import Press, Sheet

        with to_rabbitmq.connect(self.url) as connection:
            with connection.channel() as channel:
                topology.declare(channel)
            assert Press(connection).publish([Sheet("x", queue, raw, {})]) == set()

    def everything(self) -> bytes:
        found = []
        for queue in self.broker.queues():
            while (taken := self.take(queue)) is not None:
                message, raw = taken
                found += [raw, json.dumps(message.headers).encode(), json.dumps(message.properties).encode()]
        return b"\n".join(found)

    def wipe(self) -> None:
        """What is left of a vhost that was deleted and made again: nothing."""
        from app.on_celery import to_rabbitmq, topology

        with to_rabbitmq.connect(self.url) as connection, connection.channel() as channel:
            for name in (*topology.NAMES, topology.DEAD, topology.MARK):
                channel.queue_delete(name)
