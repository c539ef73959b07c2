"""A worker takes a job: jobs that are done are left alone, any other is set to running."""

import math
import os
import socket
import time
from functools import lru_cache

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from billing.settings import settings

from . import jobs
from .core import TERMINAL, Claim, Job, JobId, Refused

_START = text("""
WITH changed AS (
    UPDATE jobs SET state = 'running', worker = :worker, started_at = clock_timestamp(), due_at = NULL,
        event_seq = event_seq + 1
    WHERE id = :id
    RETURNING id, event_seq, tenant_id, state, percent, message
)
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, event_seq, tenant_id, state, percent, message FROM changed
""")


@lru_cache(maxsize=4)
def worker_name(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def claim(s: Session | Connection, job_id: JobId) -> Claim:
    """Sets the job to running. Raises Refused where there is no such job, or it has come to its end."""
    job = jobs.get(s, job_id)
    if job is None:
        raise Refused("unknown")
    if job.state in TERMINAL:
        raise Refused(job.state)
    s.execute(_START, {"id": job_id, "worker": worker_name(os.getpid())})
    return Claim(job, job.fence, lease_until=math.inf, deadline=time.monotonic() + settings().time_box)


def hold(s: Session, claim: Claim) -> None:
    """The broker gives a message to one worker, so the job is ours until it ends."""


def renew(s: Session, claim: Claim) -> None:
    """Nothing to renew: a claim has no end."""


def release(s: Session, claim: Claim, why: str, delay: float) -> None:
    """Gives the job back, to be tried after `delay` seconds."""
    jobs.set_state(s, claim.job.id, "retrying", message=why, extras={"due_in": delay})


def expired(s: Session) -> list[Job]:
    """Jobs to take away from their workers: none, since a claim has no end."""
    return []
