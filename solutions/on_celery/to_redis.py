"""The way to Redis: kombu's messages in lists, a batch in one pipeline."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import getpid

from kombu import Connection, Producer
from kombu.exceptions import KombuError
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ..shared.core import BrokerDown, Envelope, JobId
from . import messages
from .topology import MARK, QUEUES

# Seconds. Nothing is repeated here: who calls holds a transaction open, or answers a request.
CONNECT, ANSWER = 2, 4
OPTIONS = {
    "priority_steps": [0],
    "socket_connect_timeout": CONNECT,
    "socket_timeout": ANSWER,
    "max_retries": 0,
    "interval_start": 0,
}


class Redis:
    """See `broker.Line`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._pid = getpid()
        self._client = Client.from_url(
            url, socket_connect_timeout=CONNECT, socket_timeout=ANSWER, retry=Retry(NoBackoff(), 0)
        )

    def publish(self, envelopes: Sequence[Envelope]) -> set[JobId]:
        """One pipeline for the whole batch: Redis' answer to each LPUSH is the confirmation."""
        if not envelopes:
            return set()
        with self._lock, self._reached():
            try:
                with self._connected() as producer, producer.batch(max_size=len(envelopes)):
                    for envelope in envelopes:
                        _send(producer, envelope)
            except BaseException:
                self._hang_up()
                raise
        return {envelope.job_id for envelope in envelopes}

    def depth(self, queue: str) -> int:
        with self._reached():
            return int(self._client.llen(queue))

    def purge(self, queue: str) -> int:
        with self._reached(), self._client.pipeline() as pipe:
            pipe.llen(queue)
            pipe.delete(queue)
            purged, _ = pipe.execute()
        return int(purged)

    def epoch(self) -> str | None:
        with self._reached():
            found = self._client.get(MARK)
        return found.decode() if isinstance(found, bytes) else None

    def mark_epoch(self, epoch: str) -> None:
        with self._reached():
            self._client.set(MARK, epoch)

    def close(self) -> None:
        with self._lock:
            self._hang_up()
        self._client.close()

    @contextmanager
    def _connected(self) -> Iterator[Producer]:
        if self._producer is None or self._pid != getpid():  # a parent's socket is not ours
            connection = Connection(self.url, transport_options=OPTIONS)
            self._producer, self._pid = Producer(connection.default_channel, auto_declare=False), getpid()
        yield self._producer

    def _hang_up(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None and self._pid == getpid():
            producer.channel.connection.client.release()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, KombuError, OSError) as error:
            # kombu reports a batch that failed by an error of its own
            raise BrokerDown(f"Redis did not answer: {error.__cause__ or error}") from error


def _send(producer: Producer, envelope: Envelope) -> None:
    message_id = messages.new_id(envelope)
    producer.publish(
        messages.body(envelope),
        exchange="",
        routing_key=QUEUES[envelope.kind],
        content_type=messages.CONTENT_TYPE,
        content_encoding=messages.CONTENT_ENCODING,
        headers=messages.headers(message_id, envelope.job_id, envelope.kind, envelope.traceparent),
        correlation_id=message_id,
        retry=False,
    )
