"""The raw broker, as a second client of it sees it: what waits, what was added last, and copies of it."""

import base64
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis

from accepted.stack import processes

PREFIX = "rq:queue:"
NAMES = (
    "payouts",
    "emails",
    "webhooks",
    "reports",
    "noops",
    "celery",
)  # queues whose names a RabbitMQ must be asked by


@dataclass(frozen=True)
class Message:
    """A message as it lay in `queue`; `body` is its library's own."""

    queue: str
    body: Any


class Messages(Protocol):
    """All queues of a backend."""

    def lengths(self) -> dict[str, int]:
        """How many messages wait, by queue."""

    def newest(self, queue: str) -> Message:
        """A copy of the one that was put there last; it stays where it is."""

    def waiting(self, queue: str) -> list[Message]:
        """Copies of all that wait, the oldest first; they stay where they are."""

    def parts(self, message: Message) -> dict[str, bytes]:
        """All that is in it, by name, without what its library wraps around it; `body` is what the worker is told."""

    def forged(self, message: Message, body: bytes, content_type: str) -> Message:
        """Such a message with another body. Not every library notes the content type."""

    def put(self, message: Message, copies: int = 1) -> None:
        """Puts copies behind all that wait, each with a delivery id of its own."""

    def waiters(self) -> dict[int, int]:
        """Clients to whom the next message may go, dead ones as well: their port by an id. None where what goes to a
        dead one comes back."""


class Rq:
    """A list of ids for each queue, and a hash for each message."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=20)

    def lengths(self) -> dict[str, int]:
        keys = [key.decode() for key in self._redis.scan_iter(f"{PREFIX}*", count=500)]
        lists = [key for key in keys if self._redis.type(key) == b"list" and ":intermediate" not in key]
        return {key.removeprefix(PREFIX): int(self._redis.llen(key)) for key in lists}

    def newest(self, queue: str) -> Message:
        id_: Any = self._redis.lindex(PREFIX + queue, -1)
        return Message(queue, self._redis.hgetall(f"rq:job:{id_.decode()}"))

    def waiting(self, queue: str) -> list[Message]:
        ids: Any = self._redis.lrange(PREFIX + queue, 0, -1)
        found: list[Any] = [self._redis.hgetall(f"rq:job:{id_.decode()}") for id_ in ids]
        return [Message(queue, each) for each in found if each]  # a worker may have been quicker

    def parts(self, message: Message) -> dict[str, bytes]:
        found = {name.decode(): value for name, value in message.body.items()}
        return {"body": _unpacked(found.pop("data", b"")), **found}

    def forged(self, message: Message, body: bytes, content_type: str) -> Message:
        return Message(message.queue, {**message.body, b"data": zlib.compress(body)})

    def put(self, message: Message, copies: int = 1) -> None:
        for _ in range(copies):
            id_ = f"copy-{secrets.token_hex(8)}"
            with self._redis.pipeline() as pipe:
                pipe.hset(f"rq:job:{id_}", mapping=message.body)
                pipe.rpush(PREFIX + message.queue, id_)
                pipe.execute()

    def waiters(self) -> dict[int, int]:
        return _blocked(self._redis)


class CeleryRedis:
    """A list of JSON envelopes for each queue, the newest first."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=20)

    def lengths(self) -> dict[str, int]:
        keys = [key.decode() for key in self._redis.scan_iter("*", count=500, _type="list")]
        return {key: int(self._redis.llen(key)) for key in keys if not key.startswith(("_", "unacked"))}

    def newest(self, queue: str) -> Message:
        return Message(queue, json.loads(self._redis.lindex(queue, 0) or b"{}"))

    def waiting(self, queue: str) -> list[Message]:
        found: Any = self._redis.lrange(queue, 0, -1)
        return [Message(queue, json.loads(each)) for each in reversed(found)]

    def parts(self, message: Message) -> dict[str, bytes]:
        rest = dict(message.body)
        body = str(rest.pop("body", "")).encode()
        if rest.get("properties", {}).get("body_encoding") == "base64":
            body = base64.b64decode(body)
        return {"body": body, **{name: json.dumps(value).encode() for name, value in rest.items()}}

    def forged(self, message: Message, body: bytes, content_type: str) -> Message:
        properties = {**message.body["properties"], "body_encoding": "base64"}
        wrapped = {"body": base64.b64encode(body).decode(), "content-type": content_type, "properties": properties}
        return Message(message.queue, {**message.body, **wrapped})

    def put(self, message: Message, copies: int = 1) -> None:
        for _ in range(copies):
            properties = {**message.body["properties"], "delivery_tag": secrets.token_hex(16)}
            self._redis.lpush(message.queue, json.dumps({**message.body, "properties": properties}))

    def waiters(self) -> dict[int, int]:
        return _blocked(self._redis)


class CeleryRabbitMQ:
    """Queues, each on a connection of its own: a question about one that is not there ends the channel."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def lengths(self) -> dict[str, int]:
        found = {}
        for name in NAMES:
            with self._connected() as connection:
                try:
                    found[name] = int(connection.channel().queue_declare(name, passive=True).message_count)
                except Exception as error:  # amqp's own NotFound, of a library without types
                    if getattr(error, "reply_code", None) != 404:
                        raise
        return found

    def newest(self, queue: str) -> Message:
        with self._connected() as connection:
            channel = connection.channel()
            waiting = []
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                waiting.append(message)
            for message in waiting:
                channel.basic_publish(message, exchange="", routing_key=queue)
            return Message(queue, waiting[-1])

    def waiting(self, queue: str) -> list[Message]:
        with self._connected() as connection:
            channel = connection.channel()
            found = []
            while (message := channel.basic_get(queue, no_ack=False)) is not None:
                found.append(message)
            for message in found:
                channel.basic_reject(message.delivery_tag, requeue=True)
            return [Message(queue, each) for each in found]

    def parts(self, message: Message) -> dict[str, bytes]:
        body, rest = message.body.body, message.body.properties
        body = body.encode() if isinstance(body, str) else bytes(body)
        return {"body": body, **{name: json.dumps(value, default=str).encode() for name, value in rest.items()}}

    def forged(self, message: Message, body: bytes, content_type: str) -> Message:
        import amqp

        properties = {**message.body.properties, "content_type": content_type, "content_encoding": "binary"}
        return Message(message.queue, amqp.Message(body, **properties))

    def put(self, message: Message, copies: int = 1) -> None:
        with self._connected() as connection:
            channel = connection.channel()
            for _ in range(copies):
                channel.basic_publish(message.body, exchange="", routing_key=message.queue)

    def waiters(self) -> dict[int, int]:
        return {}  # nobody acknowledged it: it is delivered again

    def _connected(self) -> Any:
        import amqp  # comes with Celery

        at = self._url
        return amqp.Connection(
            f"{at.hostname}:{at.port or 5672}", at.username or "guest", at.password or "guest",
            virtual_host=at.path[1:] or "/", connect_timeout=20, confirm_publish=True,
        )  # fmt: skip


def of(url: str, backend: str) -> Messages:
    """The messages on the broker of that URL."""
    if backend == "rq":
        return Rq(url)
    return CeleryRabbitMQ(url) if url.startswith("amqp") else CeleryRedis(url)


def added(messages: Messages, before: dict[str, int], seconds: float) -> Message | None:
    """A copy of the message that has come since `before`, or None where none came in time. No worker may run."""
    found: Sequence[str] = []

    def came() -> bool:
        nonlocal found
        found = [queue for queue, length in messages.lengths().items() if length > before.get(queue, 0)]
        return bool(found)

    return messages.newest(found[0]) if processes.until(came, seconds, pause=0.05) else None


def _blocked(client: "redis.Redis") -> dict[int, int]:
    """Whose last command is one of those that wait: BLMOVE, BRPOP and their like."""
    found: Any = client.client_list()
    return {int(one["id"]): int(one["addr"].rpartition(":")[2]) for one in found if one["cmd"].startswith("b")}


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data
