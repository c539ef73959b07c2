"""How a job and its events look to clients; `progress` writes and reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import RowMapping

from .core import TERMINAL, JobId

STATES = ("queued", "running", "retrying", "succeeded", "failed", "cancelled")

# The columns that make a view, and those that make an event.
VIEW = """
id, tenant_id, kind, state, percent, message, event_seq, failures, accepted_at, started_at, finished_at, due_at,
parent_id, trace_id, result, error
"""
EVENT = "job_id, seq, tenant_id, at, state, percent, message"


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


def job_id_of(text_: str) -> UUID | None:
    """The id in a URL, or None where it is none."""
    try:
        return UUID(text_)
    except ValueError:
        return None
