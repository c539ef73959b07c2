"""What operators look at: queues, jobs, what is left. Plain JSON values, in the shapes that `ops` documents."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from . import control, dead_letters, jobs, outbox
from .backend import broker
from .core import BrokerDown
from .owners import owner_of
from .redaction import redact
from .shapes import iso

_UNFINISHED = text("""
SELECT kind, count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'retrying') AS retrying
FROM jobs WHERE state IN ('queued', 'running', 'retrying') GROUP BY kind
""")
STATES = ("queued", "running", "retrying")


def queues(s: Session) -> dict[str, Any]:
    """The answer of `ops queues`. Works with the broker down: then the depths are None."""
    unfinished = {row["kind"]: row for row in s.execute(_UNFINISHED).mappings()}
    ages = jobs.oldest_ready(s)
    letters = dead_letters.size(s)
    paused = control.paused_now(s)
    count, age = outbox.backlog(s)
    shown = []
    for queue in broker().queues():
        kinds = [kind for kind in jobs.KINDS if broker().queue_of(kind) == queue]
        of_kinds = [ages[kind] for kind in kinds if kind in ages]
        shown.append(
            {
                "queue": queue,
                "kinds": kinds,
                "depth": _depth(queue),
                "oldest_ready_age_seconds": round(max(of_kinds), 3) if of_kinds else None,
                **{state: sum(unfinished[kind][state] for kind in kinds if kind in unfinished) for state in STATES},
                "paused": bool(kinds) and paused.issuperset(kinds),
                "dead_letters": letters.get(queue, 0),
                "owner": _owner(queue),
            }
        )
    return {
        "broker": "down" if any(one["depth"] is None for one in shown) else "up",
        "paused": [pause["scope"] for pause in control.pauses(s)],
        "outbox": {"backlog": count, "oldest_age_seconds": round(age, 3) if count else None},
        "queues": shown,
    }


def _depth(queue: str) -> int | None:
    try:
        return broker().depth(queue)
    except BrokerDown:
        return None


def _owner(queue: str) -> dict[str, str]:
    owner = owner_of(queue)
    return {"team": owner.team, "contact": owner.contact, "action": owner.action}


_FILTERS = {
    "state": "state = :state",
    "kind": "kind = :kind",
    "tenant": "tenant_id = :tenant",
    "trace": "trace_id = :trace",
    "key": "natural_key = :key",
}


def found_jobs(s: Session, given: Mapping[str, str | None], limit: int) -> dict[str, Any]:
    """The answer of `ops jobs`, newest first. `given` names entries of `_FILTERS`; a None is no filter."""
    wanted = {name: value for name, value in given.items() if value is not None}
    where = " AND ".join(_FILTERS[name] for name in wanted) or "true"
    statement = text(f"""
        SELECT id, tenant_id, kind, natural_key, state, percent, message, failures, deliveries, requeues, parent_id,
            trace_id, accepted_at, started_at, due_at, finished_at, error
        FROM jobs WHERE {where} ORDER BY accepted_at DESC, id LIMIT :limit""")
    rows = s.execute(statement, {**wanted, "limit": limit + 1}).mappings().all()
    return {"count": len(rows[:limit]), "more": len(rows) > limit, "jobs": [_job(dict(row)) for row in rows[:limit]]}


def _job(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = _plain(row)
    tenant = shown.pop("tenant_id")
    head = {"id": shown.pop("id"), "tenant": tenant, "kind": shown.pop("kind")}
    error = shown.pop("error")
    queue = jobs.queue_of(head["kind"])
    return {**head, "queue": queue, **shown, "error": None if error is None else redact(error)}


def letter(row: Mapping[str, Any]) -> dict[str, Any]:
    """One dead letter."""
    shown = _plain(row)
    tenant = shown.pop("tenant_id")
    return {"id": shown.pop("id"), "job_id": shown.pop("job_id"), "tenant": tenant, **shown}


def endpoint(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of `ops dead-letters --by-endpoint`."""
    shown = _plain(row)
    return shown | {"error_classes": shown["error_classes"] or []}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times as RFC 3339, ids as text."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            shown[name] = iso(value)
        else:
            shown[name] = str(value) if name in ("job_id", "parent_id") and value is not None else value
    if "kind" in shown and "state" in shown:
        shown["id"] = str(shown["id"])
    return shown


def left(s: Session) -> dict[str, Any]:
    """What is not at its end yet: totals, by kind, and the pauses that may be why."""
    paused = control.paused_now(s)
    rows = s.execute(_UNFINISHED).mappings().all()
    by_kind = [
        {"kind": row["kind"], **{state: row[state] for state in STATES}, "paused": row["kind"] in paused}
        for row in sorted(rows, key=lambda row: str(row["kind"]))
    ]
    return {
        "left": {state: sum(row[state] for row in rows) for state in STATES},
        "left_by_kind": by_kind,
        "paused": [pause["scope"] for pause in control.pauses(s)],
    }
