"""Jobs that can't go on end as `failed`; the log says why."""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.orm import Session

from . import jobs
from .core import Failure, Job, JobId, LostLease
from .letters import Choice

log = structlog.get_logger(__name__)


def park(s: Session, job: Job, reason: str, failure: Failure, *, fence: int | None = None) -> bool:
    """Ends the job as `failed`. False where it had ended already; LostLease where `fence` is not the newest."""
    error = {"class": failure.error, "message": failure.message}
    extras = {"error": json.dumps(error), "failed_once": True, "finished": True}
    if not jobs.set_state(s, job.id, "failed", message=f"failed: {reason}"[:500], fence=fence, extras=extras):
        if fence is not None:
            raise LostLease(f"job {job.id}: it was taken over before its end was recorded")
        return False
    log.error("job failed", job_id=str(job.id), tenant=job.tenant_id, why=reason, **error)
    return True


def park_raw(s: Session, raw: bytes, queue: str, reason: str) -> None:
    """A message that nobody can read is of no use to anybody: logged, and forgotten."""
    log.error("message dropped", queue=queue, size=len(raw), why=reason)


def size(s: Session) -> dict[str, int]:
    """How many letters each queue has."""
    return {}


def listing(
    s: Session, choice: Choice | None = None, *, limit: int = 50, closed: bool = False
) -> list[Mapping[str, Any]]:
    """Nothing is kept; search the log for "job failed"."""
    return []


def by_endpoint(s: Session, choice: Choice | None = None) -> list[Mapping[str, Any]]:
    return []


def requeue(s: Session, choice: Choice, by: str, *, dry_run: bool = False) -> tuple[list[JobId], list[tuple[int, str]]]:
    """(jobs started again, letters left alone)."""
    return [], []


def purge(
    s: Session, choice: Choice, by: str, reason: str, *, dry_run: bool = False
) -> tuple[list[int], list[tuple[int, str]]]:
    """(letters closed, letters left alone)."""
    return [], []


def note(s: Session, by: str, action: str, target: str, detail: Mapping[str, Any]) -> None:
    """What an operator did, for the log."""
    log.info(action, by=by, target=target, **detail)
