"""New work: the job's row, and the message that tells the workers of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from . import jobs as table
from .backend import broker
from .core import Envelope, Job, JobId

# Jobs of one aggregate are in the order of their time.
_ADD = text("""
WITH added AS (
    INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, parent_id, trace_id, traceparent)
    VALUES (:id, :tenant_id, :kind, :natural_key, CAST(:args AS jsonb), :aggregate,
        CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint), :parent_id, :trace_id, :traceparent)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, tenant_id
)
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, 1, tenant_id, 'queued', 0, '' FROM added
RETURNING job_id
""")


@dataclass(frozen=True, slots=True)
class Row:
    """What the job is about, where it is as new as the job: an INSERT with its values by name."""

    insert: str
    values: Mapping[str, Any]


def add(s: Session, job: Job, row: Row | None = None) -> bool:
    """Writes the job, and `row` before it, and publishes it. False where a job of that id exists.

    It publishes before the caller commits: if the broker is down, the error takes the rows back as well, and there is
    no job that nobody was told of.
    """
    if row is not None:
        s.execute(text(row.insert), dict(row.values))
    if not _insert(s, job):
        return False
    broker().publish([_envelope(job)])
    return True


def add_many(s: Session, jobs: Sequence[Job], row: Row | None = None) -> set[JobId]:
    """`add` for many jobs; returns the ids of those that are new.

    Many messages take a while, and the first would be at a worker before its row is there. So they follow the commit.
    """
    if row is not None:
        s.execute(text(row.insert), dict(row.values))
    new = [job for job in jobs if _insert(s, job)]
    _publish_after_commit(s, new)
    return {job.id for job in new}


def _insert(s: Session, job: Job) -> bool:
    values = {
        "id": job.id,
        "tenant_id": job.tenant_id,
        "kind": job.kind,
        "natural_key": job.natural_key,
        "args": json.dumps(dict(job.args)),
        "aggregate": job.aggregate,
        "parent_id": job.parent_id,
        "trace_id": job.trace_id,
        "traceparent": job.traceparent,
    }
    return s.execute(_ADD, values).first() is not None


def emit(s: Session, job_ids: Sequence[JobId]) -> None:
    """One more message for each of these jobs, once the caller's change of their state can be seen by the workers."""
    _publish_after_commit(s, [job for job_id in job_ids if (job := table.get(s, job_id)) is not None])


def _publish_after_commit(s: Session, jobs: Sequence[Job]) -> None:
    envelopes = [_envelope(job) for job in jobs]
    if envelopes:
        event.listen(s, "after_commit", lambda _: broker().publish(envelopes), once=True)


def _envelope(job: Job) -> Envelope:
    return Envelope(job.id, job.kind, job.traceparent, job)


def stranded(s: Session, kinds: Sequence[str], empty: bool) -> list[JobId]:
    """Jobs whose message was lost: the broker keeps them safe."""
    return []


def backlog(s: Session) -> tuple[int, float]:
    """How many messages wait to be published, and the age of the oldest in seconds: none ever waits."""
    return 0, 0.0
