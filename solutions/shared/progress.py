"""What is known of a job's way: an append-only list of events, and a view that only moves forward.

An event's `seq` is taken under the job row's lock, so a job's events commit in the order of their numbers and are
numbered without a gap: whoever has seen up to n asks for what comes after n, and misses nothing.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from . import jobs
from .core import JobId
from .shapes import EVENT, VIEW, Event, JobView, view


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


# Counting is for parents only: for any other kind the index on parent_id answers with nothing at once.
_READ = text(f"""
SELECT {VIEW}, (
    SELECT jsonb_object_agg(state, n) FROM (
        SELECT c.state, count(*) AS n FROM jobs c WHERE c.parent_id = jobs.id GROUP BY c.state) counted
) AS children
FROM jobs WHERE id = :id
""")


def read(s: Session, job_id: JobId) -> JobView | None:
    """The job's view, or None for an unknown id. The caller compares `tenant_id`."""
    row = s.execute(_READ, {"id": job_id}).mappings().one_or_none()
    return None if row is None else view(row)


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
