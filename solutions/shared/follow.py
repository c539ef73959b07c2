"""What one stream is at: from which event on its client has to be told, and in which bytes."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from billing.db import unit

from . import cursors, progress
from .core import TERMINAL
from .cursors import Cursor, Snapshot
from .shapes import Event
from .tail import Batch, Tail

QUEUE = 256  # polls that a client may lag behind; then it is cut off, comes back and reads from the table
PAGE = 1000  # events of one catching-up read


def frame(id: object, event: Event) -> bytes:
    return f"id: {id}\ndata: {json.dumps(event.body(), separators=(',', ':'))}\n\n".encode()


class Follower(ABC):
    """`behind`: the table holds events that the client was not told of and no batch will bring. It starts so.

    `ended`: nothing more will come. `cut` ends the connection at once; the server sets it.
    """

    def __init__(self, topic: UUID | str, tenant: str) -> None:
        self.topic = topic
        self.tenant = tenant
        self.behind = True
        self.ended = False
        self.queue: asyncio.Queue[Batch | None] = asyncio.Queue(QUEUE)
        self.cut: Callable[[], Any] = lambda: None

    def offer(self, batch: Batch | None) -> None:
        """Takes a batch (None: the server stops), or cuts off a client that has let too many wait."""
        try:
            self.queue.put_nowait(batch)
        except asyncio.QueueFull:
            self.cut()

    @abstractmethod
    def catch_up(self) -> bytes | None:
        """Reads (blocking) what comes next and moves on. None where there is no such thing for this tenant."""

    @abstractmethod
    def encode(self, batch: Batch) -> bytes:
        """Moves on by the batch; sets `behind`, and moves nowhere, where something before it is missing."""

    def heartbeat(self) -> bytes:
        return b": heartbeat\n\n"


class JobFollower(Follower):
    """One job, from after event `last`. A job's events are numbered without a gap, which makes a gap visible."""

    def __init__(self, job_id: UUID, tenant: str, last: int) -> None:
        super().__init__(job_id, tenant)
        self.job_id = job_id
        self.last = last

    def catch_up(self) -> bytes | None:
        with unit() as s:
            head = progress.head(s, self.job_id)
            if head is None or head[0] != self.tenant:
                return None
            self.last = min(self.last, head[2])
            events = progress.events_after(s, self.job_id, self.last)
        self.behind = False
        self.ended = not events and head[1] in TERMINAL
        return self._tell(events)

    def encode(self, batch: Batch) -> bytes:
        events = sorted((one for _, one in batch.events if one.seq > self.last), key=lambda one: one.seq)
        if [one.seq for one in events] != list(range(self.last + 1, self.last + 1 + len(events))):
            self.behind = True
            return b""
        return self._tell(events)

    def _tell(self, events: Iterable[Event]) -> bytes:
        told = []
        for event in events:
            told.append(frame(event.seq, event))
            self.last, self.ended = event.seq, event.terminal
        return b"".join(told)


class TenantFollower(Follower):
    """All jobs of a tenant, from behind `place`; None: from now on."""

    def __init__(self, tenant: str, place: Cursor | None, tail: Tail) -> None:
        super().__init__(tenant, tenant)
        self.place = place
        self.tail = tail

    def catch_up(self) -> bytes | None:
        with unit() as s:
            if self.place is None:
                self.place = Cursor.behind(Snapshot.parse(progress.cursor(s)))
                self.behind = False
                return f"id: {self.place}\n\n".encode()
            placed, self.place, whole = cursors.read_after(s, self.tenant, self.place, PAGE)
        self.behind = not whole
        return b"".join(frame(place, event) for place, event in placed)

    def encode(self, batch: Batch) -> bytes:
        if self.place is None:
            raise RuntimeError("catch_up comes first")
        seen = self.place.seen
        if not seen.before(batch.new):
            return b""
        self.place = Cursor.behind(batch.new)
        new = [event for xact, event in batch.events if not seen.sees(xact)]
        return b"".join(frame(place, event) for place, event in cursors.after(seen, batch.new, new))

    def heartbeat(self) -> bytes:
        """With an id, which a browser keeps: a quiet tenant's client resumes from here and not from long ago."""
        seen = self.tail.seen
        if seen and self.place and self.queue.empty() and not self.behind and self.place.seen.before(seen):
            self.place = Cursor.behind(seen)
        return f": heartbeat\nid: {self.place}\n\n".encode()
