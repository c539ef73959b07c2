"""What is known of a job's way: an append-only list of events, and a view that only moves forward.

An event's `seq` is taken under the job row's lock, so a job's events commit in the order of their numbers and are
numbered without a gap: whoever has seen up to n asks for what comes after n, and misses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from . import jobs
from .core import TERMINAL, JobId


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `job_events`. `message` is ours, never a partner's words: it holds no personal data."""

    job_id: JobId
    seq: int
    tenant_id: str
    at: datetime
    state: str
    percent: int
    message: str

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    def body(self) -> dict[str, Any]:
        """The event as clients see it, in JSON values."""
        return {
            "job_id": str(self.job_id),
            "seq": self.seq,
            "state": self.state,
            "percent": self.percent,
            "message": self.message,
            "at": iso(self.at),
        }


class JobView(TypedDict):
    """A job as the HTTP layer shows it. Times are RFC 3339 in UTC, or None; `children` counts jobs by state."""

    id: str
    tenant_id: str
    kind: str
    state: str
    percent: int
    message: str
    seq: int  # of the newest event
    attempts: int  # runs that ended in an error, plus the one that is under way or went well
    accepted_at: str | None
    started_at: str | None
    finished_at: str | None
    next_attempt_at: str | None
    parent_id: str | None
    trace_id: str
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    children: Mapping[str, int] | None


def iso(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with microseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(
    s: Session,
    job_id: JobId,
    state: str,
    percent: int | None = None,
    message: str | None = None,
    fence: int | None = None,
) -> bool:
    """Moves the view forward and appends the event of it. False where that would be a step back: nothing is written."""
    return jobs.set_state(s, job_id, state, percent=percent, message=message, fence=fence)


VIEW = """
id, tenant_id, kind, state, percent, message, event_seq, failures, accepted_at, started_at, finished_at, due_at,
parent_id, trace_id, result, error
"""
# Counting is for parents only: for any other kind the index on parent_id answers with nothing at once.
_READ = text(f"""
SELECT {VIEW}, (
    SELECT jsonb_object_agg(state, n) FROM (
        SELECT c.state, count(*) AS n FROM jobs c WHERE c.parent_id = jobs.id GROUP BY c.state) counted
) AS children
FROM jobs WHERE id = :id
""")
STATES = ("queued", "running", "retrying", "succeeded", "failed", "cancelled")


def read(s: Session, job_id: JobId) -> JobView | None:
    """The job's view, or None for an unknown id. The caller compares `tenant_id`."""
    row = s.execute(_READ, {"id": job_id}).mappings().one_or_none()
    return None if row is None else view(row)


def view(row: RowMapping) -> JobView:
    """The view of a row that holds the columns of `VIEW`, and `children` where they were counted."""
    counted = row.get("children")
    under_way = row["state"] in ("running", "succeeded")
    return JobView(
        id=str(row["id"]),
        tenant_id=row["tenant_id"],
        kind=row["kind"],
        state=row["state"],
        percent=row["percent"],
        message=row["message"],
        seq=row["event_seq"],
        attempts=row["failures"] + under_way,
        accepted_at=iso(row["accepted_at"]),
        started_at=iso(row["started_at"]),
        finished_at=iso(row["finished_at"]),
        next_attempt_at=iso(row["due_at"]) if row["state"] == "retrying" else None,
        parent_id=str(row["parent_id"]) if row["parent_id"] else None,
        trace_id=row["trace_id"],
        result=row["result"],
        error=row["error"],
        children={"total": sum(counted.values())} | {name: counted.get(name, 0) for name in STATES}
        if counted
        else None,
    )


EVENT = "job_id, seq, tenant_id, at, state, percent, message"
_AFTER = text(f"SELECT {EVENT} FROM job_events WHERE job_id = :id AND seq > :seq ORDER BY seq")


def events_after(s: Session, job_id: JobId, seq: int) -> list[Event]:
    """The job's events with a number above `seq`, in order."""
    return [Event(*row) for row in s.execute(_AFTER, {"id": job_id, "seq": seq})]


_HEAD = text("SELECT tenant_id, state, event_seq FROM jobs WHERE id = :id")


def head(s: Session, job_id: JobId) -> tuple[str, str, int] | None:
    """(tenant, state, number of the newest event), or None for an unknown id."""
    row = s.execute(_HEAD, {"id": job_id}).one_or_none()
    return None if row is None else (row.tenant_id, row.state, row.event_seq)


_CURSOR = text("SELECT pg_current_snapshot()::text")


def cursor(s: Session) -> str:
    """Where the tenant-wide stream stands now: whoever reads a list in this transaction and then follows
    `/events?since=<cursor>` misses nothing in between, provided that the cursor was taken first."""
    return str(s.execute(_CURSOR).scalar_one())


def job_id_of(text_: str) -> UUID | None:
    """The id in a URL, or None where it is none."""
    try:
        return UUID(text_)
    except ValueError:
        return None
