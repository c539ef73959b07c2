"""Who may work on a job: lease, fencing token, and the count of deliveries taken before the handler runs.

Only Postgres' clock decides whether a lease has ended. Each claim raises the fencing token, and every later write
for the job names the token it was claimed with, so a worker that was frozen and wakes finds that it writes nothing.
"""

import os
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from billing.plain import Plain
from billing.settings import settings

from . import jobs
from .core import Claim, Exhausted, Job, JobId, LostLease, Refused

# The message may come before the row (a publisher that didn't wait for its commit), late, or twice: only a queued
# job that isn't paused is taken. The delivery is counted here, because a job that kills its worker counts nothing.
_CLAIM = text(f"""
WITH changed AS (
    UPDATE jobs SET state = 'running', fence = fence + 1, deliveries = deliveries + 1, worker = :worker,
        started_at = clock_timestamp(), event_seq = event_seq + 1, due_at = NULL,
        lease_until = now() + make_interval(secs => least(:lease, :time_box)),
        deadline = now() + make_interval(secs => :time_box)
    WHERE id = :id AND state = 'queued' AND deliveries - failures < :max_crashes AND NOT EXISTS (
        SELECT FROM pauses
        WHERE scope IN ('all', 'kind:' || kind, 'queue:' || (CAST(:queues AS jsonb) ->> kind)))
    RETURNING {jobs.COLUMNS}, event_seq, percent, message
), told AS (
    INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
    SELECT id, event_seq, tenant_id, state, percent, message FROM changed
)
SELECT * FROM changed
""")


@lru_cache(maxsize=4)
def worker_name(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def claim(s: Session | Plain, job_id: JobId) -> Claim:
    """Takes the job for one lease. Raises Refused (not there, not queued, paused) or Exhausted (too many crashes)."""
    at = time.monotonic()  # before the statement: the local idea of the lease must end first
    row = _take(s, job_id)
    if row is None:
        _no(s, job_id)
        # It is queued: paused, or committed since we tried, by a publisher that was ahead of its own commit.
        row = _take(s, job_id)
    if row is None:
        raise Refused("paused")
    job = jobs.from_row(row)
    box = settings().time_box
    return Claim(job, job.fence, at + min(settings().lease, box), at + box)


def _take(s: Session | Plain, job_id: JobId) -> Mapping[str, Any] | RowMapping | None:
    values = {
        "id": job_id,
        "worker": worker_name(os.getpid()),
        "lease": settings().lease,
        "time_box": settings().time_box,
        "max_crashes": settings().max_crashes,
        "queues": jobs.queues_json(),
    }
    return s.execute(_CLAIM, values).mappings().one_or_none()


def _no(s: Session | Plain, job_id: JobId) -> None:
    """Raises what keeps the job from being taken, unless that is a pause."""
    job = jobs.get(s, job_id)
    if job is None:
        raise Refused("unknown")
    if job.state != "queued":
        raise Refused(job.state)
    if job.deliveries - job.failures >= settings().max_crashes:
        raise Exhausted(job)


_HOLD = text("SELECT 1 FROM jobs WHERE id = :id AND fence = :fence AND state = 'running' FOR NO KEY UPDATE")


def hold(s: Session, claim: Claim) -> None:
    """Locks the job's row until the caller commits. Raises LostLease where the claim is no longer the newest."""
    if s.execute(_HOLD, {"id": claim.job.id, "fence": claim.fence}).first() is None:
        raise LostLease(f"job {claim.job.id}: fencing token {claim.fence} is no longer the newest")


_RENEW = text("""
UPDATE jobs SET lease_until = least(now() + make_interval(secs => :lease), deadline)
WHERE id = :id AND fence = :fence AND state = 'running' AND deadline > now()
""")


def renew(s: Session, claim: Claim) -> None:
    """Moves the lease on, never past the time box. Raises LostLease where there is nothing left to move."""
    at = time.monotonic()
    found = s.execute(_RENEW, {"id": claim.job.id, "fence": claim.fence, "lease": settings().lease})
    if found.rowcount == 0:  # type: ignore[attr-defined]
        raise LostLease(f"job {claim.job.id}: the lease can't be renewed")
    claim.lease_until = min(at + settings().lease, claim.deadline)


def release(s: Session, claim: Claim, why: str, delay: float) -> None:
    """Gives the job back for no fault of its own, to be tried after `delay` seconds; counts as no delivery."""
    done = jobs.set_state(
        s,
        claim.job.id,
        "retrying",
        message=why,
        fence=claim.fence,
        extras={"due_in": delay, "given_back": True, "let_go": True},
    )
    if not done:
        raise LostLease(f"job {claim.job.id}: it was taken over before it could be given back")


_EXPIRED = text(f"""
WITH late AS (
    SELECT id FROM jobs WHERE state = 'running' AND lease_until < now()
    ORDER BY lease_until LIMIT 500 FOR UPDATE SKIP LOCKED
), changed AS (
    UPDATE jobs SET state = 'queued', fence = fence + 1, event_seq = event_seq + 1, message = 'its worker was lost',
        lease_until = NULL, deadline = NULL, worker = NULL
    FROM late WHERE jobs.id = late.id
    RETURNING {", ".join("jobs." + name for name in jobs.COLUMNS.split(", "))}, event_seq, percent, message
), told AS (
    INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
    SELECT id, event_seq, tenant_id, state, percent, message FROM changed
)
SELECT * FROM changed
""")


def expired(s: Session) -> list[Job]:
    """Takes the jobs whose lease has ended away from their workers and returns them, queued; the caller emits them.

    Raising the fencing token here, not only at the next claim, silences the old worker from this moment.
    """
    return [jobs.from_row(row) for row in s.execute(_EXPIRED).mappings()]
