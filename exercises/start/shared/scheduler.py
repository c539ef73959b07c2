"""The scheduler: what must happen by itself. Retries come due, lost leases are reaped, old rows are cleaned up.

It speaks to Postgres, so it works while the broker is down. Several may run: an advisory lock lets one tick.
"""

import threading
import time
from collections.abc import Collection

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.db import DatabaseDown, unit
from billing.settings import settings

from . import claims, jobs, outbox, retention
from .backend import broker
from .core import BrokerDown, JobId

log = structlog.get_logger(__name__)

_LEAD = text("SELECT pg_try_advisory_xact_lock(7101, 2)")
_DUE = text("""
WITH due AS (
    SELECT id FROM jobs WHERE state = 'retrying' AND due_at <= now() ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
), changed AS (
    UPDATE jobs SET state = 'queued', event_seq = event_seq + 1, due_at = NULL FROM due WHERE jobs.id = due.id
    RETURNING jobs.id, event_seq, tenant_id, state, percent, message
)
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, event_seq, tenant_id, state, percent, message FROM changed RETURNING job_id
""")


def promote(s: Session) -> list[JobId]:
    """Retries that are due become queued jobs with a message on its way."""
    due = list(s.execute(_DUE).scalars())
    outbox.emit(s, due)
    return due


def reap(s: Session) -> list[JobId]:
    """Jobs whose worker was lost are queued again."""
    lost = [job.id for job in claims.expired(s)]
    outbox.emit(s, lost)
    return lost


def empty_queues() -> frozenset[str]:
    """The queues in which no message waits. Raises BrokerDown."""
    return frozenset(queue for queue in broker().queues() if broker().depth(queue) == 0)


def restore(s: Session, empty: Collection[str]) -> list[JobId]:
    """Jobs whose message was lost on its way get another; `empty` names the queues that were seen empty just now."""
    kinds_of: dict[str, list[str]] = {}
    for kind in jobs.KINDS:
        kinds_of.setdefault(broker().queue_of(kind), []).append(kind)
    found: list[JobId] = []
    for queue, kinds in kinds_of.items():
        found += outbox.stranded(s, kinds, queue in empty)
    outbox.emit(s, found)
    return found


def tick(now: float, restore_at: float, clean_at: float) -> tuple[float, float]:
    """One round; `now` and the two times at which slower duties are due are seconds of the monotonic clock.

    Returns when they are due next.
    """
    with unit() as s:
        if not s.execute(_LEAD).scalar_one():
            return restore_at, clean_at
        promote(s)
        if lost := reap(s):
            log.warning("leases ended; the jobs are queued again", jobs=len(lost))
    if now >= restore_at:
        restore_at = now + settings().lease / 2
        _restore()
    if now >= clean_at:
        clean_at = now + 30
        if counts := {name: n for name, n in retention.clean().items() if n}:
            log.info("cleaned up", **counts)
    return restore_at, clean_at


def _restore() -> None:
    # The broker is asked outside of any transaction: one that hangs would keep promotions and reaping from committing.
    try:
        empty = empty_queues()
    except BrokerDown as down:
        log.warning("lost messages not looked for", why=str(down))
        return
    with unit() as s:
        if s.execute(_LEAD).scalar_one() and (gone := restore(s, empty)):
            log.warning("messages were lost; published again", jobs=len(gone))


def loop(stop: threading.Event) -> None:
    """Ticks until `stop` is set."""
    restore_at = clean_at = time.monotonic()
    period = min(settings().reaper_period, settings().retry_base) / 4
    while not stop.wait(period):
        try:
            restore_at, clean_at = tick(time.monotonic(), restore_at, clean_at)
        except (DatabaseDown, BrokerDown) as down:
            log.warning("scheduler waits", why=str(down))
            stop.wait(1)
        except DBAPIError as error:  # a deadlock, a lock not had in time: the next tick does what this one didn't
            log.error("tick undone", exc_info=error)
            stop.wait(1)
