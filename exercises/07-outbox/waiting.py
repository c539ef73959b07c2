"""What waits on the raw broker: the text of every message, and a queue that forgets what it held."""

import base64
import json
import re
import time
import zlib
from collections.abc import Sequence
from typing import Any

import redis

from accepted.grade import messages
from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown

LOST = 5.0  # s in which a queue can be emptied, even if both relays publish the same message
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.I)
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # traceparent: 32 digits that are no job


def of(stage: Stage) -> messages.Messages:
    return messages.of(stage.stack.addresses.broker, stage.backend)


def lengths(stage: Stage) -> dict[str, int]:
    """How many messages wait, by queue; queues in which none does are left out."""
    return {queue: number for queue, number in of(stage).lengths().items() if number}


class Peek:
    """What waits on the broker while no worker runs.

    RabbitMQ counts every look at a message as a delivery, and makes it a dead letter after ten of them: a queue is
    looked into only when another number waits in it than at the last look.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._known: dict[str, list[str]] = {}
        self._before = self._waiting()

    def texts(self) -> list[str]:
        """Everything that a message says, one by one, whichever queue it waits in."""
        for queue, length in lengths(self._stage).items():
            if length != len(self._known.get(queue, ())):
                self._known[queue] = _texts(self._stage, queue)
        return [text for found in self._known.values() for text in found]

    def queue_of(self, job: str) -> str | None:
        """The queue in which a message waits that names this job."""
        self.texts()
        found = (queue for queue, said in self._known.items() if any(job in ids(text) for text in said))
        return next(found, None)

    def forget(self, queue: str) -> None:
        """All that was seen in this queue is lost, and what two relays still publish as it goes; nothing else.

        A message that was looked at is back in RabbitMQ's queue a moment later: a purge before that leaves it alone.
        """
        lost = 0

        def empty() -> bool:
            nonlocal lost
            lost += _purged(self._stage, queue)
            return lost >= len(self._known.get(queue, ())) and not lengths(self._stage).get(queue)

        if not self._stage.until(empty, LOST):
            raise Unknown(f"the messages in {queue} were to be lost, and {lost} were")

    def wait(self, jobs: Sequence[str], settled: float, deadline: float) -> None:
        """Until each of these has a message and none has come for `settled` seconds; `deadline` seconds at most."""
        many, since = 0, time.monotonic()

        def quiet() -> bool:
            nonlocal many, since
            if (now := self._waiting()) != many:
                many, since = now, time.monotonic()
            if time.monotonic() - since < settled or many < self._before + len(jobs):
                return False
            found = [ids(text) for text in self.texts()]
            return all(any(job in named for named in found) for job in jobs)

        self._stage.until(quiet, deadline)

    def _waiting(self) -> int:
        return sum(lengths(self._stage).values())


def _texts(stage: Stage, queue: str) -> list[str]:
    where = stage.stack.addresses.broker
    if where.startswith("amqp"):
        return _amqp(of(stage), queue)
    client: Any = redis.Redis.from_url(where, socket_timeout=5)
    if stage.backend == "rq":
        waiting = client.lrange(messages.PREFIX + queue, 0, -1)
        return [_hash(id_, client.hgetall(b"rq:job:" + id_)) for id_ in waiting]
    return [_envelope(raw) for raw in client.lrange(queue, 0, -1)]


def ids(text: str) -> set[str]:
    """All UUIDs in it, with dashes."""
    plain = [one.replace("-", "").lower() for one in _ID.findall(_TRACE.sub("", text))]
    return {f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in plain}


def _purged(stage: Stage, queue: str) -> int:
    """How many messages have gone."""
    where = stage.stack.addresses.broker
    if where.startswith("amqp"):
        with _connected(of(stage)) as connection:
            return int(connection.channel().queue_purge(queue))
    key = messages.PREFIX + queue if stage.backend == "rq" else queue
    client = redis.Redis.from_url(where, socket_timeout=5)
    with client.pipeline() as pipe:
        pipe.llen(key)
        pipe.delete(key)
        return int(pipe.execute()[0])


def _hash(id_: bytes, fields: dict[bytes, bytes]) -> str:
    """RQ's hash; its data is compressed."""
    said = [id_]
    for value in fields.values():
        try:
            said.append(zlib.decompress(value))
        except zlib.error:
            said.append(value)
    return b"\n".join(said).decode(errors="replace")


def _envelope(raw: bytes) -> str:
    """Kombu's envelope, and the body that is packed in it."""
    try:
        body = base64.b64decode(json.loads(raw)["body"])
    except (ValueError, KeyError, TypeError):
        body = b""
    return (raw + b"\n" + body).decode(errors="replace")


def _amqp(raw: messages.Messages, queue: str) -> list[str]:
    """Taken without an acknowledgement: as the channel closes they go back to where they were."""
    found = []
    with _connected(raw) as connection:
        channel = connection.channel()
        while (message := channel.basic_get(queue, no_ack=False)) is not None:
            body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
            found.append(f"{message.properties} {body.decode(errors='replace')}")
        channel.close()
    return found


def _connected(raw: messages.Messages) -> Any:
    if not isinstance(raw, messages.CeleryRabbitMQ):
        raise TypeError(f"{type(raw).__name__} is no RabbitMQ")
    return raw._connected()
