"""The broker port in memory: for unit tests in eager mode, and the yardstick of the conformance suite.

It fails where real ones do: it can be down, it can be wiped, it delivers again what was not acknowledged, and it
carries whatever bytes somebody else put on a queue.
"""

import json
import threading
from collections import deque
from collections.abc import Sequence
from itertools import count
from uuid import UUID

from .core import BrokerDown, Delivery, Envelope, JobId, Undecodable

_QUEUES = {
    "payout.send": "payouts",
    "email.send": "emails",
    "webhook.fanout": "webhooks",
    "webhook.deliver": "webhooks",
    "noop": "noops",
    "report.export": "reports",
}


class MemoryBroker:
    """Queues of bytes. `receive` hands out a message with a tag; unless `ack(tag)` follows, `recover` puts it back."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.down = False
        self.wipe()

    def wipe(self) -> None:
        """Everything is gone, our mark included: what a broker without a disk does when it restarts."""
        self.waiting: dict[str, deque[bytes]] = {queue: deque() for queue in self.queues()}
        self.unacked: dict[int, tuple[str, bytes]] = {}
        self.tags = count(1)
        self.mark: str | None = None

    def _reach(self) -> None:
        if self.down:
            raise BrokerDown("the memory broker was told to be down")

    def queue_of(self, kind: str) -> str:
        return _QUEUES[kind]

    def queues(self) -> Sequence[str]:
        return list(dict.fromkeys(_QUEUES.values()))

    def publish(self, envelopes: Sequence[Envelope]) -> set[JobId]:
        self._reach()
        with self.lock:
            for e in envelopes:
                message = {"job_id": str(e.job_id), "kind": e.kind, "traceparent": e.traceparent}
                self.waiting[self.queue_of(e.kind)].append(json.dumps(message).encode())
        return {e.job_id for e in envelopes}

    def decode(self, raw: bytes) -> Delivery:
        try:
            message = json.loads(raw)
            delivery = Delivery(UUID(message["job_id"]), str(message["kind"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Undecodable(f"{type(error).__name__} in {len(raw)} bytes") from error
        if delivery.kind not in _QUEUES:
            raise Undecodable("a kind of work that nobody does here")
        return delivery

    def depth(self, queue: str) -> int:
        self._reach()
        return len(self.waiting[queue])

    def purge(self, queue: str) -> int:
        self._reach()
        with self.lock:
            purged = len(self.waiting[queue])
            self.waiting[queue].clear()
        return purged

    def epoch(self) -> str | None:
        self._reach()
        return self.mark

    def mark_epoch(self, epoch: str) -> None:
        self._reach()
        self.mark = epoch

    # -- the consuming side, which real libraries keep to themselves

    def put(self, queue: str, raw: bytes) -> None:
        self.waiting[queue].append(raw)

    def receive(self, queue: str) -> tuple[int, bytes] | None:
        self._reach()
        with self.lock:
            if not self.waiting[queue]:
                return None
            tag, raw = next(self.tags), self.waiting[queue].popleft()
            self.unacked[tag] = (queue, raw)
        return tag, raw

    def ack(self, tag: int) -> None:
        self.unacked.pop(tag, None)

    def recover(self) -> None:
        """What a dead consumer held is delivered again, before what waits."""
        with self.lock:
            for queue, raw in reversed(self.unacked.values()):
                self.waiting[queue].appendleft(raw)
            self.unacked.clear()


the = MemoryBroker()
"""The one of this process: `backend.broker()` returns it where BACKEND is `memory`."""
