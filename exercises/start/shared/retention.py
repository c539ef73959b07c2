"""What is kept for how long. Everything goes in small batches, each a transaction of its own.

Kept for ever: the audit, dead letters, and effects. An effect's natural key must outlive every way in which its job
could come back (a retry, a requeue, a message that lay on a broker for weeks, a client who asks again next year): a
key that is forgotten is a payout that is made twice.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import unit
from billing.settings import settings
from billing.storage import ObjectStore, StoreError

from . import artifacts
from .gauges import TOTALS
from .letters import OPEN

log = structlog.get_logger(__name__)

IDEMPOTENCY_KEYS = timedelta(hours=24)
STEPS = timedelta(hours=1)  # after the end: while somebody may still look at how it went
OUTBOX = timedelta(minutes=10)  # at least; the search for lost messages looks back by a few leases
ORPHANS = timedelta(hours=1)
SWEEP_PERIOD = 600.0  # seconds: it lists the whole store
_swept_at: float | None = None


def clean(limit: int = 1000, budget: float = 0.5) -> dict[str, int]:
    """Deletes what is past its time, `limit` rows of each at once, and again while there is more and `budget` seconds
    last. Returns how many of each went. Raises DatabaseDown; a store that is down is left for the next time."""
    global _swept_at
    counts: dict[str, int] = {}
    until = time.monotonic() + budget
    for name, batch in _BATCHES.items():
        counts[name] = _in_batches(batch, limit, until)
    if _swept_at is None or time.monotonic() - _swept_at >= SWEEP_PERIOD:
        _swept_at = time.monotonic()
        try:
            counts |= sweep(artifacts.store(), datetime.now(UTC) - ORPHANS)
        except StoreError as error:
            log.warning("orphans not swept", why=str(error))
    return counts


def _in_batches(batch: Callable[[Session, int], int], limit: int, until: float) -> int:
    total = 0
    while True:
        with unit() as s:
            gone = batch(s, limit)
        total += gone
        if gone < limit or time.monotonic() >= until:
            return total


# A job is ripe when its time is over and nobody has a use for it: a failed one with an open dead letter still waits
# for somebody's decision, and a parent stays as long as any of its children.
_RIPE = f"""
{{job}}.state IN ('succeeded', 'failed', 'cancelled') AND {{job}}.finished_at < now() - make_interval(secs => :ttl)
AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.job_id = {{job}}.id AND {OPEN})
"""
_ROOTS = text(f"""
SELECT id, (SELECT count(*) FROM jobs c WHERE c.parent_id = j.id) AS children
FROM jobs j WHERE parent_id IS NULL AND {_RIPE.format(job="j")}
    AND NOT EXISTS (SELECT FROM jobs c WHERE c.parent_id = j.id AND NOT ({_RIPE.format(job="c")}))
ORDER BY finished_at LIMIT :limit
FOR UPDATE OF j SKIP LOCKED
""")
# Asked again under the locks: a child may have been requeued since.
_FAMILY = text(f"""
WITH RECURSIVE family AS (
    SELECT id, id AS root FROM jobs WHERE id = ANY(:roots)
    UNION ALL SELECT c.id, f.root FROM jobs c JOIN family f ON c.parent_id = f.id
)
SELECT j.id, f.root, {_RIPE.format(job="j")} AS ripe FROM jobs j JOIN family f USING (id) ORDER BY j.id FOR UPDATE OF j
""")
_COUNT = text(f"""
INSERT INTO counters (kind, name, value)
SELECT kind, name, value FROM (
    SELECT kind, {", ".join(f"coalesce(sum({each}), 0)::bigint AS {name}" for name, each in TOTALS.items())}
    FROM jobs WHERE id = ANY(:ids) GROUP BY kind
) sums CROSS JOIN LATERAL (VALUES {", ".join(f"('{name}', {name})" for name in TOTALS)}) AS each(name, value)
WHERE value <> 0 ORDER BY kind, name
ON CONFLICT (kind, name) DO UPDATE SET value = counters.value + excluded.value
""")
# A report is kept as long as its job; without the pointer its file is an orphan, and is swept.
_UNPOINT = text("""
UPDATE reports SET artifact_key = NULL, artifact_bytes = NULL
WHERE id IN (SELECT CAST(args ->> 'report_id' AS uuid) FROM jobs WHERE id = ANY(:ids) AND kind = 'report.export')
""")


def old_jobs(s: Session, limit: int) -> int:
    """Deletes jobs past RESULT_TTL, whole families at once, and adds what they counted to `counters`."""
    ttl = settings().result_ttl
    roots: list[UUID] = []
    room = limit
    for row in s.execute(_ROOTS, {"ttl": ttl, "limit": limit}):
        if roots and row.children >= room:
            break
        roots.append(row.id)
        room -= 1 + row.children
    members = s.execute(_FAMILY, {"roots": roots, "ttl": ttl}).all() if roots else []
    spared = {row.root for row in members if not row.ripe}
    ids = [row.id for row in members if row.root not in spared]
    if ids:
        s.execute(_COUNT, {"ids": ids})
        s.execute(_UNPOINT, {"ids": ids})
        s.execute(text("DELETE FROM jobs WHERE id = ANY(:ids)"), {"ids": ids})
    return len(ids)


_OUTBOX = text("""
DELETE FROM outbox WHERE id IN (
    SELECT o.id FROM outbox o JOIN jobs j ON j.id = o.job_id
    WHERE o.published_at < now() - :age AND j.state <> 'queued'
        AND (j.started_at IS NULL OR j.started_at < now() - :age)
    ORDER BY o.published_at LIMIT :limit FOR UPDATE OF o SKIP LOCKED)
""")


def published_rows(s: Session, limit: int) -> int:
    """Deletes outbox rows that were published and taken. A queued job keeps its own: they are published again."""
    return _deleted(s, _OUTBOX, max(OUTBOX, timedelta(seconds=4 * settings().lease)), limit)


_KEYS = text("""
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at < now() - :age
    ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
""")


def old_keys(s: Session, limit: int) -> int:
    """Deletes stored answers; the contract promises them for 24 hours."""
    return _deleted(s, _KEYS, IDEMPOTENCY_KEYS, limit)


_STEPS = text(f"""
DELETE FROM job_steps WHERE (job_id, name) IN (
    SELECT job_id, name FROM job_steps JOIN jobs j ON j.id = job_steps.job_id
    WHERE j.finished_at < now() - :age AND j.state IN ('succeeded', 'failed', 'cancelled')
        AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.job_id = j.id AND {OPEN})
    LIMIT :limit FOR UPDATE OF job_steps SKIP LOCKED)
""")


def finished_steps(s: Session, limit: int) -> int:
    """Deletes the steps of jobs at their end; those of an open dead letter stay, since a requeue goes on from them."""
    return _deleted(s, _STEPS, STEPS, limit)


_BATCHES: dict[str, Callable[[Session, int], int]] = {
    "jobs": old_jobs,
    "outbox": published_rows,
    "idempotency_keys": old_keys,
    "job_steps": finished_steps,
}


def _deleted(s: Session, statement: object, age: timedelta, limit: int) -> int:
    found = s.execute(statement, {"age": age, "limit": limit})  # type: ignore[call-overload]
    return int(found.rowcount)


_OURS = re.compile(r"[^/]+/reports/(?P<report>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/v\d+/\d+\.\w+")
# What a report points at, and whatever belongs to one that may still be worked on.
_WANTED = text(f"""
SELECT id::text, artifact_key FROM reports WHERE artifact_key = ANY(:keys)
UNION ALL
SELECT args ->> 'report_id', NULL FROM jobs j
WHERE kind = 'report.export' AND args ->> 'report_id' = ANY(:reports) AND (
    state IN ('queued', 'running', 'retrying')
    OR EXISTS (SELECT FROM dead_letters d WHERE d.job_id = j.id AND {OPEN}))
""")


def sweep(store: ObjectStore, before: datetime, batch: int = 500) -> dict[str, int]:
    """Deletes files and unfinished uploads from before `before` that no report points at and no job will: what killed
    runs left. Only keys of the form that reports are written under are touched. Raises StoreError, DatabaseDown."""
    old = [stat.key for stat in store.list() if stat.modified < before]
    begun = [upload for upload in store.uploads() if upload.begun is not None and upload.begun < before]
    counts = {"artifacts": 0, "uploads": 0}
    for at in range(0, len(old), batch):
        for key in orphans(old[at : at + batch]):
            store.delete(key)
            counts["artifacts"] += 1
    for at in range(0, len(begun), batch):
        some = begun[at : at + batch]
        unwanted = set(orphans([upload.key for upload in some]))
        for upload in some:
            if upload.key in unwanted:
                store.abort(upload)
                counts["uploads"] += 1
    return counts


def orphans(keys: Sequence[str]) -> list[str]:
    """Of these keys, the ones that nobody needs."""
    reports = {key: match["report"] for key in keys if (match := _OURS.fullmatch(key))}
    if not reports:
        return []
    with unit() as s:
        found = s.execute(_WANTED, {"keys": list(reports), "reports": list(set(reports.values()))}).all()
    pointed = {key for _, key in found if key is not None}
    at_work = {report for report, key in found if key is None}
    return [key for key, report in reports.items() if key not in pointed and report not in at_work]
