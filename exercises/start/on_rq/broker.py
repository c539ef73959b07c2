"""The broker port on RQ."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from billing.db import unit
from billing.settings import settings
from billing.snapshot import snapshot

from ..shared import jobs
from ..shared.core import BrokerDown, Delivery, Envelope, JobId, Undecodable

QUEUE = "default"
PERFORM = "app.on_rq.worker.perform"
SERIALIZER = "rq.serializers.DefaultSerializer"  # the workers', by name
_EPOCH = "accepted:epoch"


@lru_cache(maxsize=1)
def _redis() -> Redis:
    return Redis.from_url(settings().broker, socket_connect_timeout=2, socket_timeout=4)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise BrokerDown(f"Redis did not answer: {error}") from error


def queue_of(kind: str) -> str:
    return QUEUE


def queues() -> Sequence[str]:
    return [QUEUE]


def publish(envelopes: Sequence[Envelope]) -> set[JobId]:
    queue = Queue(QUEUE, connection=_redis())
    for envelope in envelopes:
        payload = _payload(envelope)
        with _reached():
            queue.enqueue(PERFORM, envelope.job_id, envelope.kind, payload)
    return {envelope.job_id for envelope in envelopes}


def _payload(envelope: Envelope) -> dict[str, Any]:
    """What the job is about, along with its id: whoever gets the message has it all at hand."""
    with unit() as s:
        job = envelope.job or jobs.get(s, envelope.job_id)
        return {} if job is None else snapshot(s, job.kind, {**job.args, "tenant_id": job.tenant_id})


def decode(raw: bytes) -> Delivery:
    """`raw` is the `data` of an RQ job: (function, instance, args, kwargs)."""
    try:
        _, _, (job_id, kind, _), _ = pickle.loads(raw)
    except Exception as error:  # unpickling raises whatever it likes
        raise Undecodable(f"{type(error).__name__} in {len(raw)} bytes") from error
    return Delivery(job_id, kind)


def depth(queue_name: str) -> int:
    with _reached():
        return Queue(queue_name, connection=_redis()).count


def purge(queue_name: str) -> int:
    with _reached():
        return int(Queue(queue_name, connection=_redis()).empty())


def epoch() -> str | None:
    with _reached():
        found = _redis().get(_EPOCH)
    return found.decode() if isinstance(found, bytes) else None


def mark_epoch(epoch: str) -> None:
    with _reached():
        _redis().set(_EPOCH, epoch)
