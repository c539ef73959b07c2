"""Where messages lie: a queue for each concern, of the same name on both brokers, and one for the dead on RabbitMQ."""

from collections.abc import Mapping, Sequence
from typing import Any

from kombu import Exchange, Queue

QUEUES: Mapping[str, str] = {
    "payout.send": "payouts",
    "email.send": "emails",
    "webhook.fanout": "webhooks",
    "webhook.deliver": "webhooks",
    "noop": "noops",
    "report.export": "reports",
}
NAMES: Sequence[str] = list(dict.fromkeys(QUEUES.values()))  # quick concerns first
DEAD = "dead"
MARK = "accepted.epoch"  # a key on Redis; on RabbitMQ a queue that holds one message

# Messages are published to the default exchange, which knows every queue by its name: there are no bindings that
# could be missing. On RabbitMQ a message that no queue takes is returned to the publisher.
_DEFAULT = Exchange("")
DEAD_LETTERS = "accepted.dead-letters"

# A message that comes back this often has been dropped by one dying worker after the other before its job could even
# be claimed. What a job does to its workers after that is counted in Postgres, and ends sooner.
DELIVERY_LIMIT = 10

# Quorum queues: on disk before they confirm, replicated where there are several nodes, and the only ones that count
# deliveries. "at-least-once" and "reject-publish" belong together: a dead letter is let go only when the queue of the
# dead has confirmed it.
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
_WORK = _QUORUM | {
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": DEAD_LETTERS,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
_MARK = {"x-max-length": 1}


def is_rabbitmq(url: str) -> bool:
    return url.startswith("amqp")


def queues(url: str) -> list[Queue]:
    """The queues that workers listen on, as kombu has them. Who comes first, publisher or worker, declares them."""
    if not is_rabbitmq(url):
        return [Queue(name, _DEFAULT, routing_key=name) for name in NAMES]
    work = [Queue(name, _DEFAULT, routing_key=name, queue_arguments=dict(_WORK)) for name in NAMES]
    return [
        *work,
        Queue(DEAD, Exchange(DEAD_LETTERS, type="fanout", durable=True), routing_key="", queue_arguments=dict(_QUORUM)),
    ]


def declare(channel: Any) -> None:
    """Declares everything on an open channel of py-amqp. The queue of the dead comes first: who dies early is kept."""
    channel.exchange_declare(DEAD_LETTERS, "fanout", durable=True, auto_delete=False)
    channel.queue_declare(DEAD, durable=True, auto_delete=False, arguments=_QUORUM)
    channel.queue_bind(DEAD, DEAD_LETTERS, routing_key="")
    for name in NAMES:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=_WORK)


def declare_mark(channel: Any) -> None:
    """A queue for the mark, with no mark in it."""
    channel.queue_declare(MARK, durable=True, auto_delete=False, arguments=_MARK)
    channel.queue_purge(MARK)


def dead_queues(url: str) -> list[str]:
    """Queues of messages that were given up, for the workers of one pool to read besides their own."""
    return [DEAD] if is_rabbitmq(url) else []


def died(message: Any) -> bool:
    """Whether a kombu message comes from the queue of the dead."""
    return bool((message.delivery_info or {}).get("exchange") == DEAD_LETTERS)
