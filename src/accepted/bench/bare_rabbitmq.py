"""RabbitMQ's quorum queues by py-amqp, with confirms that are waited for once a batch.

Nothing here sees to a message that no queue takes, or to a connection that ends: a bare client need not.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import amqp
from kombu import Connection

from accepted.bench import bare_message
from accepted.bench.measure import Invalid

QUORUM = {"x-queue-type": "quorum"}
PATIENCE = 10.0  # s, for the confirms of a batch


class Bare:
    """See `beside.Broker`."""

    def __init__(self, url: str) -> None:
        self.connection = Connection(url, heartbeat=0)
        self.channel: Any = self.connection.channel()
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._acked)
        self.channel.events["basic_nack"].add(self._refused)
        self._sent = 0
        self._waiting: set[int] = set()
        self._desk: Any = None
        self._heard: dict[str, deque[str]] = {}  # what came to the consumer of a queue

    def declare(self, queue: str) -> None:
        self._ask().queue_declare(queue, durable=True, auto_delete=False, arguments=QUORUM)

    def publish(self, queue: str, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            message = amqp.Message(
                bare_message.body(job_id),
                content_type=bare_message.TYPE,
                content_encoding=bare_message.ENCODING,
                application_headers=bare_message.headers(job_id),
                delivery_mode=2,
                correlation_id=job_id,
            )
            self._sent += 1
            self._waiting.add(self._sent)
            self.channel.basic_publish(message, exchange="", routing_key=queue)
        while self._waiting:
            self.connection.drain_events(timeout=PATIENCE)

    def depth(self, queue: str) -> int:
        return int(self._ask().queue_declare(queue, passive=True).message_count)

    def empty(self, queue: str) -> None:
        self._ask().queue_purge(queue)

    def take(self, queue: str, seconds: float) -> str | None:
        if queue not in self._heard:
            heard = self._heard[queue] = deque[str]()
            self._ask().basic_consume(queue, no_ack=True, callback=lambda message: heard.append(_text(message)))
        try:
            while not self._heard[queue]:
                self.connection.drain_events(timeout=seconds)
        except TimeoutError:
            return None
        return self._heard[queue].popleft()

    def close(self) -> None:
        self.connection.release()

    def _ask(self) -> Any:
        """A channel for everything but publishing."""
        if self._desk is None:
            self._desk = self.connection.channel()
        return self._desk

    def _acked(self, number: int, multiple: bool) -> None:
        if multiple:
            self._waiting = {each for each in self._waiting if each > number}
        else:
            self._waiting.discard(number)

    def _refused(self, number: int, multiple: bool) -> None:
        raise Invalid("RabbitMQ refused a message of the bare client")


def _text(message: Any) -> str:
    return message.body if isinstance(message.body, str) else bytes(message.body).decode()
