"""The relay: carries outbox rows to the broker, in order within each aggregate, at least once.

No one publishes exactly once: a relay that dies between the broker's confirmation and its own commit publishes
those rows again. That is why a message is only an id, and why effects are guarded by natural keys.
"""

import threading
import time
from collections.abc import Sequence
from uuid import uuid4

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.db import DatabaseDown, unit
from billing.settings import settings

from . import dead_letters, jobs
from .backend import broker
from .core import BrokerDown, Envelope, Failure

log = structlog.get_logger(__name__)

# One relay publishes at a time; others stand ready and take over with the next batch. Two at once would have to
# share out the aggregates to keep their order, and one carries more than the workers behind it can work off. The
# lock is the transaction's, so it ends with the relay that holds it; one that is frozen inside the transaction
# loses its session to idle_in_transaction_session_timeout.
_LEAD = text("SELECT pg_try_advisory_xact_lock(7101, 1)")

_DEFERRED = text("""
SELECT DISTINCT aggregate FROM outbox
WHERE published_at IS NULL AND not_before IS NOT NULL AND not_before > now()
""")
_CLAIM = text("""
SELECT o.id, o.job_id, o.kind, o.aggregate, o.attempts, j.traceparent
FROM outbox o JOIN jobs j ON j.id = o.job_id
WHERE o.published_at IS NULL AND o.aggregate <> ALL(:deferred) AND NOT EXISTS (
    SELECT FROM pauses
    WHERE scope IN ('all', 'kind:' || o.kind, 'queue:' || (CAST(:queues AS jsonb) ->> o.kind)))
ORDER BY o.id LIMIT :batch
FOR NO KEY UPDATE OF o
""")
# One time for the whole batch, so that (published_at, id) is the order in which messages went out.
_MARK = text("UPDATE outbox SET published_at = statement_timestamp(), not_before = NULL WHERE id = ANY(:ids)")
_DEFER = text("""
UPDATE outbox SET attempts = attempts + 1, last_error = :why,
    not_before = now() + least(30, 0.2 * power(2, attempts)) * interval '1 second'
WHERE id = ANY(:ids)
""")
GIVE_UP_AFTER = 16  # about five minutes: a cluster that elects a new leader refuses for a while, and then takes all


def run_once() -> int:
    """Publishes one batch and returns how many rows it took on (0 where there is nothing to do, or another leads).

    Raises BrokerDown or DatabaseDown; then the rows stay as they were.
    """
    with unit() as s:
        # The lock comes first, in a statement of its own: a claim made in the same statement would look at the
        # table as it was before the last leader's commit, and publish its batch a second time.
        if not s.execute(_LEAD).scalar_one():
            return 0
        _check_epoch(s)
        deferred = list(s.execute(_DEFERRED).scalars())
        values = {"deferred": deferred, "queues": jobs.queues_json(), "batch": settings().relay_batch}
        rows = s.execute(_CLAIM, values).all()
        if not rows:
            return 0
        envelopes, unroutable = [], []
        for row in rows:
            if row.kind in jobs.KINDS:
                envelopes.append(Envelope(row.job_id, row.kind, row.traceparent))
            else:
                unroutable.append(row)
        confirmed = broker().publish(envelopes)
        done = [row.id for row in rows if row.job_id in confirmed]
        failed = [row for row in rows if row.job_id not in confirmed and row not in unroutable]
        s.execute(_MARK, {"ids": done})
        _set_aside(s, failed, unroutable)
    return len(rows)


def _set_aside(s: Session, failed: Sequence[object], unroutable: Sequence[object]) -> None:
    """A row that the broker won't take must not hold up the batch: it waits, and its aggregate with it."""
    hopeless = [*unroutable, *(row for row in failed if row.attempts + 1 >= GIVE_UP_AFTER)]  # type: ignore[attr-defined]
    waiting = [row for row in failed if row not in hopeless]
    if waiting:
        s.execute(_DEFER, {"ids": [row.id for row in waiting], "why": "not confirmed"})  # type: ignore[attr-defined]
    for row in hopeless:
        s.execute(_MARK, {"ids": [row.id]})  # type: ignore[attr-defined]
        job = jobs.get(s, row.job_id)  # type: ignore[attr-defined]
        if job is not None:
            failure = Failure("Unpublishable", f"no queue would take a {job.kind}", transient=False)
            dead_letters.park(s, job, "it could not be published", failure)


_EPOCH = text("SELECT epoch FROM broker_epoch")
_NEW_EPOCH = text("""
INSERT INTO broker_epoch (epoch) VALUES (:epoch) ON CONFLICT (id) DO UPDATE SET epoch = :epoch, since = now()
""")
# Only the newest row of a job counts; a job that runs, waits or has ended needs no message.
_PUBLISH_AGAIN = text("""
UPDATE outbox SET published_at = NULL WHERE id IN (
    SELECT max(o.id) FROM outbox o JOIN jobs j ON j.id = o.job_id WHERE j.state = 'queued' GROUP BY o.job_id)
""")
_next_look = 0.0


def _check_epoch(s: Session) -> None:
    """A broker that lost our mark lost our messages too: what is queued is published again.

    Postgres' copy of the mark changes in the same transaction as the rows, so a relay that dies in between leaves
    two marks that differ, and the next one starts over.
    """
    global _next_look
    if time.monotonic() < _next_look:
        return
    known, found = s.execute(_EPOCH).scalar(), broker().epoch()
    if known is None or known != found:
        epoch = uuid4().hex
        lost = s.execute(_PUBLISH_AGAIN).rowcount if known else 0  # type: ignore[attr-defined]
        broker().mark_epoch(epoch)
        s.execute(_NEW_EPOCH, {"epoch": epoch})
        if known:
            log.warning("the broker was wiped; its messages are published again", messages=lost)
    _next_look = time.monotonic() + 0.5


def wait(stop: threading.Event, seconds: float) -> None:
    """Polling is the truth here: a NOTIFY with every commit was measured to halve the rate of commits."""
    stop.wait(seconds)


def loop(stop: threading.Event) -> None:
    """Publishes until `stop` is set; an outage is waited out, a little longer each time, up to a second."""
    outage = 0.0
    while not stop.is_set():
        try:
            taken = run_once()
            if outage:
                log.info("relay is back")
            outage = 0.0
            if taken < settings().relay_batch:
                wait(stop, settings().relay_poll)
        except (BrokerDown, DatabaseDown) as down:
            if not outage:
                log.warning("relay waits", why=str(down))
            outage = min(1.0, max(0.05, outage * 2))
            wait(stop, outage)
        except DBAPIError as error:  # a lock not had in time, say: the rows are as they were
            log.error("batch undone", exc_info=error)
            wait(stop, 1)
