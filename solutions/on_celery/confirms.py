"""Publishing with confirmation by the batch. Waiting for each message's own costs a round trip and a disk write each:
on two cores 1.7 k messages a second against 6.5 k, to quorum queues."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from .messages import CONTENT_ENCODING, CONTENT_TYPE

PATIENCE = 3  # s, for a whole batch


@dataclass(frozen=True, slots=True)
class Sheet:
    """A message to publish; `id` is its own."""

    id: str
    queue: str
    body: bytes
    headers: Mapping[str, Any]


class Press:
    """A channel in confirm mode.

    The broker counts what comes in on the channel from 1, and says ack or nack to every number, or to all up to one.
    What no queue takes it first returns, and then acknowledges all the same.
    """

    def __init__(self, connection: amqp.Connection) -> None:
        self.connection = connection
        self.channel = connection.channel()
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._acked)
        self.channel.events["basic_nack"].add(self._nacked)
        self.channel.events["basic_return"].add(self._returned)
        self._sent = 0
        self._waiting: dict[int, str] = {}  # number → id, in the order of the numbers
        self._failed: set[str] = set()

    def publish(self, sheets: Sequence[Sheet]) -> set[str]:
        """Returns the ids of those that are not known to lie in their queue; then this press must not be used again.

        Raises TimeoutError where the broker says nothing at all, and what py-amqp raises.
        """
        give_up = time.monotonic() + PATIENCE
        for sheet in sheets:
            self._sent += 1
            self._waiting[self._sent] = sheet.id
            message = amqp.Message(
                sheet.body,
                content_type=CONTENT_TYPE,
                content_encoding=CONTENT_ENCODING,
                application_headers=dict(sheet.headers),
                delivery_mode=2,
                message_id=sheet.id,
                correlation_id=sheet.id,
            )
            self.channel.basic_publish(message, exchange="", routing_key=sheet.queue, mandatory=True)
        while self._waiting and (left := give_up - time.monotonic()) > 0:
            try:
                self.connection.drain_events(timeout=left)
            except TimeoutError:
                break
        if len(self._waiting) == len(sheets):
            raise TimeoutError(f"no confirmation within {PATIENCE} s")
        return self._failed | set(self._waiting.values())

    def _answered(self, number: int, multiple: bool) -> list[str]:
        numbers = [n for n in self._waiting if n <= number] if multiple else [number]
        return [self._waiting.pop(n) for n in numbers if n in self._waiting]

    def _acked(self, number: int, multiple: bool) -> None:
        self._answered(number, multiple)

    def _nacked(self, number: int, multiple: bool) -> None:
        self._failed.update(self._answered(number, multiple))

    def _returned(self, error: Exception, exchange: str, routing_key: str, message: amqp.Message) -> None:
        self._failed.add(str(message.properties.get("message_id")))
