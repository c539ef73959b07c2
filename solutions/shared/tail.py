"""The one reader of new events for all streams of this process.

It polls while anyone listens and rests otherwise. NOTIFY is avoided on purpose: one for each commit costs the
writers nearly half of their commit rate, and it can get lost; a poll of a short index range costs a millisecond.
"""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.db import engine

from .cursors import Snapshot
from .shapes import EVENT, Event

log = structlog.get_logger(__name__)
POLL = 0.06  # seconds
RETRY = (0.2, 2.0)  # seconds between tries while the database is away: the first, the longest

_NEW = text(f"""
WITH here AS MATERIALIZED (SELECT pg_current_snapshot() AS snap)
SELECT CAST(here.snap AS text), CAST(CAST(xact AS text) AS bigint), {EVENT} FROM here
LEFT JOIN job_events ON xact >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
    AND NOT pg_visible_in_snapshot(xact, CAST(:seen AS pg_snapshot))
""")
_HERE = text("SELECT CAST(pg_current_snapshot() AS text)")
Rows = list[Any]


class Batch(NamedTuple):
    """What one poll brought for one listener: (transaction, event) pairs, and the snapshot that saw them."""

    new: Snapshot
    events: list[tuple[int, Event]]


class Listener(Protocol):
    """Hears of a job's events (`topic` is its id) or of all of a tenant's (`topic` is the tenant's id)."""

    topic: UUID | str

    def offer(self, batch: Batch) -> None:
        """Takes the batch without waiting."""


@dataclass
class _Reader:
    """The database side, in a thread of its own: one connection, kept."""

    connection: Connection | None = None

    def read(self, seen: Snapshot | None) -> tuple[Snapshot, Rows]:
        if self.connection is None:
            self.connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            if seen is None:
                return Snapshot.parse(self.connection.execute(_HERE).scalar_one()), []
            rows = self.connection.execute(_NEW, {"seen": str(seen)}).all()
        except DBAPIError:
            self.connection.invalidate()
            self.close()
            raise
        return Snapshot.parse(rows[0][0]), [row for row in rows if row[1] is not None]

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Tail:
    """`seen` is what has been handed on so far; None while nobody listens."""

    def __init__(self) -> None:
        self.seen: Snapshot | None = None
        self.last_read = 0.0  # monotonic
        self._listeners: dict[UUID | str, set[Listener]] = {}
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tail")
        self._reader = _Reader()

    async def listen(self, listener: Listener, timeout: float) -> None:
        """From the return on, every event that commits later is offered. Raises TimeoutError while Postgres is away."""
        self._listeners.setdefault(listener.topic, set()).add(listener)
        self._wake.set()
        async with asyncio.timeout(timeout):
            await self._ready.wait()

    def leave(self, listener: Listener) -> None:
        there = self._listeners.get(listener.topic)
        if there is not None:
            there.discard(listener)
            if not there:
                del self._listeners[listener.topic]

    async def run(self) -> None:
        """Reads and hands on, until it is cancelled."""
        loop, pause = asyncio.get_running_loop(), 0.0
        while True:
            if not self._listeners:
                self.seen = None
                self._ready.clear()
                self._wake.clear()
                await self._wake.wait()
            try:
                new, rows = await loop.run_in_executor(self._thread, self._reader.read, self.seen)
            except (DBAPIError, PoolTimeout) as error:
                # `seen` stays, so that what commits meanwhile is found afterwards.
                pause = min(max(pause * 2, RETRY[0]), RETRY[1])
                log.warning("events can't be read", error=type(error).__name__, again_in=pause)
                await asyncio.sleep(pause)
                continue
            pause = 0.0
            self.last_read = time.monotonic()
            self._hand_on(new, rows)
            self.seen = new
            self._ready.set()
            await asyncio.sleep(POLL)

    def _hand_on(self, new: Snapshot, rows: Rows) -> None:
        by_topic: dict[UUID | str, list[tuple[int, Event]]] = {}
        for _, xact, *fields in rows:
            job_id, tenant = fields[0], fields[2]
            topics: Iterable[UUID | str] = [one for one in (job_id, tenant) if one in self._listeners]
            if topics:
                pair = (int(xact), Event(*fields))
                for topic in topics:
                    by_topic.setdefault(topic, []).append(pair)
        for topic, events in by_topic.items():
            for listener in tuple(self._listeners[topic]):
                listener.offer(Batch(new, events))

    def close(self) -> None:
        self._thread.submit(self._reader.close)
        self._thread.shutdown(wait=True, cancel_futures=False)
