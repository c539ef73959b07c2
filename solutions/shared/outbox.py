"""The outbox: a job and the promise to publish it are written in the caller's own transaction.

Whatever commits is published in the end; whatever rolls back was never heard of.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from billing.plain import within
from billing.settings import settings

from .core import Job, JobId
from .jobs import INDEPENDENT

# One round trip. The row of `outbox_sequences` is locked before the numbers are taken, and until the caller
# commits, so numbers and outbox ids within an aggregate follow the order in which its transactions commit.
_ADD = """
wanted AS (
    SELECT * FROM jsonb_to_recordset(CAST(:jobs AS jsonb)) AS w(
        n int, id uuid, tenant_id text, kind text, natural_key text, args jsonb, aggregate text, ordered bool,
        parent_id uuid, trace_id text, traceparent text)
), numbered AS (
    INSERT INTO outbox_sequences (aggregate, last_seq)
    SELECT aggregate, count(*) FROM wanted WHERE ordered GROUP BY aggregate ORDER BY aggregate
    ON CONFLICT (aggregate) DO UPDATE SET last_seq = outbox_sequences.last_seq + excluded.last_seq
    RETURNING aggregate, last_seq
), added AS (
    INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, parent_id, trace_id, traceparent)
    SELECT id, tenant_id, kind, natural_key, args, w.aggregate,
        coalesce(last_seq + 1 - row_number() OVER (PARTITION BY w.aggregate, ordered ORDER BY n DESC), 0),
        parent_id, trace_id, traceparent
    FROM wanted w LEFT JOIN numbered ON w.ordered AND numbered.aggregate = w.aggregate
    ON CONFLICT (id) DO NOTHING
    RETURNING id, tenant_id, kind, aggregate, seq
), told AS (
    INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
    SELECT id, 1, tenant_id, 'queued', 0, '' FROM added
)
INSERT INTO outbox (job_id, kind, aggregate, seq)
SELECT id, kind, aggregate, seq FROM added JOIN (SELECT id, min(n) AS n FROM wanted GROUP BY id) place USING (id)
ORDER BY n
RETURNING job_id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What the job is about, where it is as new as the job: an INSERT with its values by name, sent along with it."""

    insert: str
    values: Mapping[str, Any]


@lru_cache(maxsize=32)
def _add(insert: str | None) -> TextClause:
    return text(f"WITH {_ADD}" if insert is None else f"WITH domain AS ({insert}), {_ADD}")


def add(s: Session, job: Job, row: Row | None = None) -> bool:
    """Writes the job, its first event and its outbox row. False where a job of that id exists: nothing is written.

    `row` is for a job whose id is fresh: it saves the round trip that a statement of its own would take.
    """
    return add_many(s, [job], row) == {job.id}


def add_many(s: Session, jobs: Sequence[Job], row: Row | None = None) -> set[JobId]:
    """`add` for many jobs in one round trip; returns the ids of those that are new."""
    rows = [
        {
            "n": n,
            "id": str(job.id),
            "tenant_id": job.tenant_id,
            "kind": job.kind,
            "natural_key": job.natural_key,
            "args": dict(job.args),
            "aggregate": job.aggregate,
            "ordered": job.kind not in INDEPENDENT,
            "parent_id": None if job.parent_id is None else str(job.parent_id),
            "trace_id": job.trace_id,
            "traceparent": job.traceparent,
        }
        for n, job in enumerate(jobs)
    ]
    insert, values = (None, {}) if row is None else (row.insert, row.values)
    return set(within(s).execute(_add(insert), {"jobs": json.dumps(rows), **values}).scalars())


# A row that the relay has in hand is locked and counts as sent: its message may have been taken already, by the very
# run that asks here for another. One that is not is held unsent until the caller's change of state is committed.
_EMIT = text("""
WITH coming AS (
    SELECT job_id FROM outbox WHERE job_id = ANY(CAST(:ids AS uuid[])) AND published_at IS NULL
    FOR SHARE SKIP LOCKED
)
INSERT INTO outbox (job_id, kind, aggregate, seq)
SELECT id, kind, aggregate, seq FROM jobs JOIN unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS w(id, n) USING (id)
WHERE id NOT IN (SELECT job_id FROM coming)
ORDER BY n
""")


def emit(s: Session, job_ids: Sequence[JobId]) -> None:
    """Asks for one more message for each of these jobs: a retry that is due, a lost lease, a requeue, a resume.

    A job that already has a message to come gets no second one.
    """
    if job_ids:
        s.execute(_EMIT, {"ids": list(job_ids)})


_BACKLOG = text("""
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
FROM outbox WHERE published_at IS NULL
""")


def backlog(s: Session) -> tuple[int, float]:
    """How many rows wait to be published, and the age of the oldest in seconds."""
    count, age = s.execute(_BACKLOG).one()
    return int(count), float(age)


# A queued job whose message was published a while ago and is gone: the worker that popped it died before it could
# claim (RQ's BLPOP, rq#758), or the broker lost its last second. A long queue looks the same from here, so age alone
# proves nothing: either the queue is empty, or a message that went out later was taken at least a lease ago. Which of
# its messages started a job that had several can't be told; its first is the careful answer, since one that comes
# back behind the queue (a retry) would make all of the queue look lost.
_STRANDED = text("""
WITH candidate AS (
    SELECT j.id, o.published_at, o.id AS row_id
    FROM jobs j LEFT JOIN LATERAL (
        SELECT id, published_at FROM outbox WHERE job_id = j.id ORDER BY published_at DESC NULLS FIRST, id DESC LIMIT 1
    ) o ON true
    WHERE j.state = 'queued' AND j.kind = ANY(:kinds)
        AND (o.published_at < now() - make_interval(secs => 2 * :lease) OR o.id IS NULL)
    ORDER BY 2, 3 LIMIT 500
)
SELECT id FROM candidate
WHERE :empty OR row_id IS NULL OR (published_at, row_id) < (
    SELECT o.published_at, o.id FROM jobs j CROSS JOIN LATERAL (
        SELECT id, published_at FROM outbox WHERE job_id = j.id AND published_at < j.started_at
        ORDER BY published_at, id LIMIT 1
    ) o
    WHERE j.kind = ANY(:kinds) AND j.started_at < now() - make_interval(secs => :lease)
        AND (j.state = 'running' OR j.finished_at > now() - make_interval(secs => 3 * :lease))
    ORDER BY 1 DESC, 2 DESC LIMIT 1)
""")


def stranded(s: Session, kinds: Sequence[str], empty: bool) -> list[JobId]:
    """The queued jobs of one queue's `kinds` whose message was lost on its way; `empty` says that the queue was seen
    empty just now. The caller emits them."""
    return list(s.execute(_STRANDED, {"kinds": list(kinds), "lease": settings().lease, "empty": empty}).scalars())
