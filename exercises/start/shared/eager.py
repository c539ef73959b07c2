"""Eager mode: the whole way of a job inside one process and one thread, for unit tests of logic.

    with eager() as house:
        client.post("/v1/payouts", json=…)
        house.drain()

Postgres is real, and so are outbox, relay, claim, effect, retry and dead letter; only the broker is the one in memory,
and nobody waits for a retry: its time is moved instead. What it can't show: what a kill at any point leaves behind,
two workers at the same job, leases that end, the library's own serialization, time-outs and prefetching. Those need
a real worker, and tests that kill it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import text

from billing.db import unit
from billing.settings import settings

from . import jobs, memory, relay, runner, scheduler


class NeverDone(AssertionError):
    """More runs than any test can mean: something starts itself again and again."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How many messages were delivered, and how many seconds of waiting were skipped."""

    runs: int
    skipped: float


# Jobs that wait for their next attempt, moved to now: those that are due first, and the seconds they would have waited.
_NEXT = text("SELECT extract(epoch FROM min(due_at) - now()) FROM jobs WHERE state = 'retrying'")
_MOVE = text("UPDATE jobs SET due_at = now() WHERE state = 'retrying' AND due_at <= now() + make_interval(secs => :by)")


class Eager:
    """`broker` is the one in memory: take it down (`down = True`), wipe it, or put bytes of your own on a queue."""

    def __init__(self, broker: memory.MemoryBroker) -> None:
        self.broker = broker

    def drain(self, *, ahead: float | None = None, most: int = 10_000) -> Drained:
        """Publishes, delivers and retries until nothing is left that could run; paused work stays where it is.

        `ahead`: retries due within so many seconds are run at once, later ones stay; None = however late they are due.
        Raises NeverDone after `most` deliveries, BrokerDown, DatabaseDown.
        """
        runs, skipped = 0, 0.0
        while True:
            while relay.run_once():
                pass
            delivered = self._deliver(most - runs)
            runs += delivered
            if delivered:
                continue
            waits = self._promote(None if ahead is None else ahead - skipped)
            if waits is None:
                return Drained(runs, skipped)
            skipped += waits

    def _deliver(self, most: int) -> int:
        runs = 0
        for queue in self.broker.queues():
            while (message := self.broker.receive(queue)) is not None:
                tag, raw = message
                runs += 1
                if runs > most:
                    raise NeverDone(
                        "The jobs don't come to an end; the last message was " + raw[:200].decode(errors="replace")
                    )
                runner.deliver(raw, queue)
                self.broker.ack(tag)
        return runs

    def _promote(self, ahead: float | None) -> float | None:
        """Queues the retries that are due next; returns the seconds skipped for it, or None where there are none."""
        with unit() as s:
            waits = s.execute(_NEXT).scalar()
            if waits is None or (ahead is not None and float(waits) > ahead):
                return None
            s.execute(_MOVE, {"by": max(float(waits), 0.0)})
        with unit() as s:
            promoted = scheduler.promote(s)
        return max(float(waits), 0.0) if promoted else None


@contextmanager
def eager() -> Iterator[Eager]:
    """BACKEND is `memory` inside the block, with an empty broker; DATABASE_URL stays what it is."""
    before = os.environ.get("BACKEND")
    os.environ["BACKEND"] = "memory"
    _forget()
    memory.the.down = False
    memory.the.wipe()
    try:
        yield Eager(memory.the)
    finally:
        if before is None:
            del os.environ["BACKEND"]
        else:
            os.environ["BACKEND"] = before
        _forget()


def _forget() -> None:
    settings.cache_clear()
    jobs.queues_json.cache_clear()
