"""The broker port on Celery, for Redis and RabbitMQ alike: kombu knows both."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kombu import Connection
from kombu.exceptions import KombuError
from kombu.simple import SimpleQueue

from billing.db import unit
from billing.snapshot import snapshot

from ..shared import jobs
from ..shared.core import BrokerDown, Delivery, Envelope, JobId
from . import messages
from .main import app
from .topology import EPOCH, QUEUE

# Celery would wait for a broker that is down for as long as it takes.
PATIENCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}


@contextmanager
def _connected() -> Iterator[Connection]:
    with app.connection_for_write(transport_options=PATIENCE) as connection:
        try:
            yield connection
        except (KombuError, OSError, *connection.connection_errors) as error:
            raise BrokerDown(f"the broker did not answer: {error}") from error


def queue_of(kind: str) -> str:
    return QUEUE


def queues() -> Sequence[str]:
    return [QUEUE]


def publish(envelopes: Sequence[Envelope]) -> set[JobId]:
    with _connected() as connection:
        for envelope in envelopes:
            arguments = (envelope.job_id, envelope.kind, _payload(envelope))
            app.send_task(envelope.kind, arguments, connection=connection)
    return {envelope.job_id for envelope in envelopes}


def _payload(envelope: Envelope) -> dict[str, Any]:
    """What the job is about, along with its id: whoever gets the message has it all at hand."""
    with unit() as s:
        job = envelope.job or jobs.get(s, envelope.job_id)
        return {} if job is None else snapshot(s, job.kind, {**job.args, "tenant_id": job.tenant_id})


def decode(raw: bytes) -> Delivery:
    return messages.decode(raw)


def depth(queue: str) -> int:
    with _connected() as connection:
        try:
            return int(connection.channel().queue_declare(queue, passive=True).message_count)
        except connection.channel_errors:  # nobody has published or listened yet
            return 0


def purge(queue: str) -> int:
    with _connected() as connection:
        try:
            return int(connection.channel().queue_purge(queue))
        except connection.channel_errors:
            return 0


def epoch() -> str | None:
    """The mark is a message that stays in a queue of its own."""
    with _connected() as connection, SimpleQueue(connection.channel(), EPOCH) as marks:
        try:
            mark = marks.get_nowait()
        except marks.Empty:
            return None
        mark.requeue()
        return str(mark.payload)


def mark_epoch(epoch: str) -> None:
    with _connected() as connection, SimpleQueue(connection.channel(), EPOCH) as marks:
        marks.clear()
        marks.put(epoch, serializer="json")
