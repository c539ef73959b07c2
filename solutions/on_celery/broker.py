"""The broker port on Celery: what both brokers have in common, and which of them it is."""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from billing.settings import settings

from ..shared.core import Delivery, Envelope, JobId
from . import messages, topology


class Line(Protocol):
    """A way to one broker. Safe to use from several threads, and after a fork. Every method raises BrokerDown."""

    def publish(self, envelopes: Sequence[Envelope]) -> set[JobId]: ...
    def depth(self, queue: str) -> int: ...
    def purge(self, queue: str) -> int: ...
    def epoch(self) -> str | None: ...
    def mark_epoch(self, epoch: str) -> None: ...
    def close(self) -> None: ...


@lru_cache(maxsize=4)
def line(url: str) -> Line:
    """The way to the broker at `url`; it connects on first use."""
    if topology.is_rabbitmq(url):
        from .to_rabbitmq import RabbitMQ

        return RabbitMQ(url)
    from .to_redis import Redis

    return Redis(url)


_first = threading.Lock()


def _line() -> Line:
    with _first:  # two threads that ask at once would each get one, and one of them would stay open
        return line(settings().broker)


def queue_of(kind: str) -> str:
    return topology.QUEUES[kind]


def queues() -> Sequence[str]:
    return list(topology.NAMES)


def publish(envelopes: Sequence[Envelope]) -> set[JobId]:
    return _line().publish(envelopes)


def decode(raw: bytes) -> Delivery:
    return messages.decode(raw)


def depth(queue: str) -> int:
    return _line().depth(queue)


def purge(queue: str) -> int:
    return _line().purge(queue)


def epoch() -> str | None:
    return _line().epoch()


def mark_epoch(epoch: str) -> None:
    _line().mark_epoch(epoch)
