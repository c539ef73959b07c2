"""The broker port on RQ: a queue for each concern, JSON, ids only."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID, uuid4

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.queue import EnqueueData
from rq.serializers import JSONSerializer

from billing.settings import settings

from ..shared.core import BrokerDown, Delivery, Envelope, JobId, Undecodable
from .limits import FAILURE_TTL, message_timeout

_QUEUES = {
    "payout.send": "payouts",
    "email.send": "emails",
    "webhook.fanout": "webhooks",
    "webhook.deliver": "webhooks",
    "noop": "noops",
    "report.export": "reports",
}
PERFORM = "app.on_rq.worker.perform"
_EPOCH = f"{RQ_KEY_PREFIX}:accepted:epoch"
SERIALIZER = "rq.serializers.JSONSerializer"  # the workers', by name; a pickle is a program, and would be run


@lru_cache(maxsize=1)
def _redis() -> Redis:
    # Made from a URL, the client repeats nothing, and so it should be: who calls holds a transaction open.
    return Redis.from_url(settings().broker, socket_connect_timeout=2, socket_timeout=4)


@lru_cache(maxsize=16)
def queue(name: str) -> Queue:
    return Queue(name, connection=_redis(), serializer=JSONSerializer)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise BrokerDown(f"Redis did not answer: {error}") from error


def queue_of(kind: str) -> str:
    return _QUEUES[kind]


def queues() -> Sequence[str]:
    """Quick concerns first: an RQ worker empties its queues strictly in this order."""
    return list(dict.fromkeys(_QUEUES.values()))


def publish(envelopes: Sequence[Envelope]) -> set[JobId]:
    """One MULTI for the whole batch: Redis' answer to the EXEC is the confirmation.

    RQ job ids carry a part of their own, because enqueuing under the id of a job that still runs would overwrite
    its hash, and a job of ours may well be published twice.
    """
    grouped: dict[str, list[EnqueueData]] = {}
    for envelope in envelopes:
        data = Queue.prepare_data(
            PERFORM,
            args=(str(envelope.job_id), envelope.kind),
            timeout=message_timeout(),
            result_ttl=0,  # results live in Postgres
            failure_ttl=FAILURE_TTL,
            description=f"{envelope.kind} {envelope.job_id}",
            job_id=f"{envelope.job_id}-{uuid4().hex[:8]}",
            meta={"traceparent": envelope.traceparent},
        )
        grouped.setdefault(queue_of(envelope.kind), []).append(data)
    with _reached(), _redis().pipeline() as pipe:
        for name, datas in grouped.items():
            queue(name).enqueue_many(datas, pipeline=pipe)
        pipe.execute()
    return {envelope.job_id for envelope in envelopes}


def decode(raw: bytes) -> Delivery:
    """`raw` is the `data` of an RQ job: [function, instance, args, kwargs].

    RQ imports whatever dotted path stands there, so who can write to Redis could run any function. This system
    runs one, and takes only ids for it.
    """
    try:
        function, _, (job_id, kind), _ = json.loads(raw)
        delivery = Delivery(UUID(job_id), str(kind))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Undecodable(f"{type(error).__name__} in {len(raw)} bytes") from error
    if function != PERFORM or delivery.kind not in _QUEUES:
        raise Undecodable("it names a function or a kind that is not ours")
    return delivery


def depth(queue_name: str) -> int:
    with _reached():
        return queue(queue_name).count


def purge(queue_name: str) -> int:
    with _reached():
        return int(queue(queue_name).empty())  # type: ignore[no-untyped-call]


def epoch() -> str | None:
    with _reached():
        found = _redis().get(_EPOCH)
    return found.decode() if isinstance(found, bytes) else None


def mark_epoch(epoch: str) -> None:
    with _reached():
        _redis().set(_EPOCH, epoch)
