"""The job table: reading a job, and the one statement that changes its state and writes the event of it."""

import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.orm import Session

from billing.plain import Plain
from billing.settings import settings

from .backend import broker
from .core import Job, JobId

# From which states each state may be reached. A job at its end leaves it only by a requeue.
COMES_FROM: Mapping[str, tuple[str, ...]] = {
    "queued": ("running", "retrying"),
    "running": ("running",),  # progress; the step into `running` itself is a claim
    "retrying": ("running",),
    "succeeded": ("running",),
    "failed": ("queued", "running", "retrying"),
    "cancelled": ("queued", "retrying"),
}

KINDS = ("report.export", "webhook.fanout", "webhook.deliver", "email.send", "payout.send", "noop")

# Kinds whose jobs have no order among themselves; the others are numbered within their aggregate.
INDEPENDENT = frozenset({"report.export", "email.send", "noop"})

COLUMNS = (
    "id, tenant_id, kind, natural_key, args, aggregate, trace_id, traceparent, seq, parent_id, state, "
    "failures, deliveries, requeues, fence, accepted_at"
)


@lru_cache(maxsize=1)
def queues_json() -> str:
    """Which queue carries which kind, as JSON, for statements that look at pauses. Only the broker names queues."""
    return json.dumps({kind: broker().queue_of(kind) for kind in KINDS})


def queue_of(kind: str) -> str | None:
    """The queue that carries `kind`, or None for a kind that nobody works on."""
    try:
        return broker().queue_of(kind)
    except KeyError:
        return None


def new(
    kind: str,
    tenant_id: str,
    natural_key: str,
    args: Mapping[str, Any],
    *,
    aggregate: str,
    trace_id: str,
    traceparent: str,
    parent_id: JobId | None = None,
    id: JobId | None = None,
) -> Job:
    """A job that no table holds yet; `outbox.add` writes it."""
    return Job(
        id=id or uuid4(),
        tenant_id=tenant_id,
        kind=kind,
        natural_key=natural_key,
        args=args,
        aggregate=aggregate,
        trace_id=trace_id,
        traceparent=traceparent,
        parent_id=parent_id,
    )


def id_of(natural_key: str) -> JobId:
    """The id of the job for this natural key: asking again for the same thing finds the same job, and nobody who does
    not hold SECRET_KEY can work out the id of another's. (With a new SECRET_KEY a repeat is a job of its own; the
    effect is guarded by the natural key all the same.)"""
    digest = hmac.digest(settings().secret().encode(), natural_key.encode(), "sha256")
    return UUID(bytes=digest[:16], version=4)


def from_row(row: Mapping[str, Any] | RowMapping) -> Job:
    return Job(**{name: row[name] for name in COLUMNS.split(", ")})


_GET = text(f"SELECT {COLUMNS} FROM jobs WHERE id = :id")


def get(s: Session | Plain, job_id: JobId) -> Job | None:
    row = s.execute(_GET, {"id": job_id}).mappings().one_or_none()
    return None if row is None else from_row(row)


_EVENT = """
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, event_seq, tenant_id, state, percent, message FROM changed RETURNING seq
"""

_SET = (
    """
WITH changed AS (
    UPDATE jobs SET
        state = :state,
        percent = greatest(percent, coalesce(:percent, percent)),
        message = coalesce(:message, message),
        event_seq = event_seq + 1
        {extras}
    WHERE id = :id AND state = ANY(:comes_from) AND (CAST(:fence AS bigint) IS NULL OR fence = :fence)
    RETURNING id, event_seq, tenant_id, state, percent, message
)
"""
    + _EVENT
)

# What may come with a change of state.
_EXTRAS: Mapping[str, str] = {
    "due_at": "due_at = :due_at",
    "due_in": "due_at = now() + make_interval(secs => :due_in)",
    "result": "result = CAST(:result AS jsonb)",
    "error": "error = CAST(:error AS jsonb)",
    "failed_once": "failures = failures + 1",
    "given_back": "deliveries = deliveries - 1",
    "let_go": "lease_until = NULL, deadline = NULL, worker = NULL",
    "finished": "lease_until = NULL, deadline = NULL, worker = NULL, due_at = NULL, finished_at = clock_timestamp()",
}


def set_state(
    s: Session | Plain,
    job_id: JobId,
    state: str,
    *,
    percent: int | None = None,
    message: str | None = None,
    fence: int | None = None,
    extras: Mapping[str, Any] | None = None,
) -> bool:
    """Changes the state and appends the event, in one statement, under the row's lock.

    False where the job is not in a state that `state` can follow, or (with `fence`) another claim holds it: then
    nothing was written. The percent never falls. `extras` names entries of `_EXTRAS`, each with the value to bind
    (True where it takes none; JSON as text).
    """
    extras = extras or {}
    bound = {name: value for name, value in extras.items() if f":{name}" in _EXTRAS[name]}
    values = {
        "id": job_id,
        "state": state,
        "comes_from": list(COMES_FROM[state]),
        "percent": percent,
        "message": message,
        "fence": fence,
    }
    return s.execute(_set(tuple(extras)), values | bound).first() is not None


@lru_cache(maxsize=32)
def _set(extras: tuple[str, ...]) -> TextClause:
    return text(_SET.format(extras="".join(f", {_EXTRAS[name]}" for name in extras)))


_RESTART = text(
    """
WITH changed AS (
    UPDATE jobs SET state = 'queued', percent = 0, message = :message, event_seq = event_seq + 1,
        failures = 0, deliveries = 0, requeues = requeues + 1, error = NULL, finished_at = NULL
    WHERE id = :id AND state = 'failed'
    RETURNING id, event_seq, tenant_id, state, percent, message
)
"""
    + _EVENT
)


def restart(s: Session, job_id: JobId, message: str = "requeued") -> bool:
    """A failed job starts again at the beginning, the only time that its percent falls. False if it has not failed."""
    return s.execute(_RESTART, {"id": job_id, "message": message}).first() is not None


# A job that never ran has waited since it was accepted; any other since the event that queued it again.
_OLDEST_READY = text("""
SELECT kind, extract(epoch FROM clock_timestamp() - min(at)) AS age FROM (
    SELECT kind, accepted_at AS at FROM jobs WHERE state = 'queued' AND event_seq = 1
    UNION ALL
    SELECT j.kind, e.at FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.seq = j.event_seq
    WHERE j.state = 'queued' AND j.event_seq > 1
) waiting GROUP BY kind
""")


def oldest_ready(s: Session) -> dict[str, float]:
    """For each kind with a queued job: how long (s) the one that has waited longest is ready."""
    return {row.kind: float(row.age) for row in s.execute(_OLDEST_READY)}
