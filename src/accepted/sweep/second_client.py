"""A second client of the broker, which puts waiting messages back in the wrong order, and more than once."""

from typing import Any, Protocol
from urllib.parse import urlsplit

import redis


class Queued(Protocol):
    """One queue, seen from outside."""

    def depth(self) -> int:
        """Messages that wait."""

    def shuffle(self, copies: int) -> int:
        """Takes all that wait and puts them back in reverse, each so many times; returns how many lie there then."""


class RedisList:
    """RQ's queue of ids, and Celery's of messages: both are a list."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self._redis = redis.Redis.from_url(url, socket_timeout=5)

    def depth(self) -> int:
        return int(self._redis.llen(self.key))

    def shuffle(self, copies: int) -> int:
        waiting = list(self._redis.lrange(self.key, 0, -1))
        mixed = [one for one in reversed(waiting) for _ in range(copies)]
        with self._redis.pipeline() as pipe:
            pipe.delete(self.key)
            pipe.rpush(self.key, *mixed)
            pipe.execute()
        return len(mixed)


class AmqpQueue:
    """A queue of RabbitMQ."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name

    def depth(self) -> int:
        with self._connected() as connection:
            channel = connection.channel()
            return int(channel.queue_declare(self.name, passive=True).message_count)

    def shuffle(self, copies: int) -> int:
        with self._connected() as connection:
            channel = connection.channel()
            waiting = []
            while (message := channel.basic_get(self.name, no_ack=True)) is not None:
                waiting.append(message)
            for message in reversed(waiting):
                for _ in range(copies):
                    channel.basic_publish(message, exchange="", routing_key=self.name)
        return len(waiting) * copies

    def _connected(self) -> Any:
        import amqp  # comes with Celery

        parts = urlsplit(self.url)
        return amqp.Connection(
            f"{parts.hostname}:{parts.port or 5672}", parts.username or "guest", parts.password or "guest",
            virtual_host=parts.path[1:] or "/", connect_timeout=5,
        )  # fmt: skip


def of(url: str, backend: str, name: str) -> Queued:
    """The queue of that name on this backend."""
    if url.startswith("amqp"):
        return AmqpQueue(url, name)
    return RedisList(url, f"rq:queue:{name}" if backend == "rq" else name)
