"""Where jobs end that can't go on by themselves: kept with what an operator needs, and without personal data.

A dead letter is open until it is requeued or purged; either is done by somebody, who stands in the audit.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from . import jobs, outbox
from .core import Failure, Job, JobId, LostLease
from .letters import OPEN, Choice
from .redaction import redact, redact_error, redact_raw

# The figures come from the row, not from `job`, which was read before the run.
_PARK = text("""
INSERT INTO dead_letters (job_id, tenant_id, kind, queue, natural_key, reason, error_class, error_message, endpoint,
    attempts, deliveries, trace_id, context)
SELECT id, tenant_id, kind, :queue, natural_key, :reason, :error, :message, :endpoint,
    failures, deliveries, trace_id, CAST(:context AS jsonb)
FROM jobs WHERE id = :id
""")


def park(s: Session, job: Job, reason: str, failure: Failure, *, fence: int | None = None) -> bool:
    """Ends the job as `failed` and opens a dead letter for it.

    False where the job had ended already: then nothing is written. With `fence`, raises LostLease where another
    claim holds the job.
    """
    error = {"class": failure.error, "message": redact_error(failure.message)}
    if failure.status is not None:
        error["status"] = str(failure.status)
    extras = {"error": json.dumps(error), "failed_once": True, "finished": True}
    reason = redact_error(reason)
    if not jobs.set_state(s, job.id, "failed", message=f"failed: {reason}"[:500], fence=fence, extras=extras):
        if fence is not None:
            raise LostLease(f"job {job.id}: it was taken over before its end was recorded")
        return False
    endpoint = None if failure.endpoint is None else redact_error(failure.endpoint)
    values = {"id": job.id, "queue": jobs.queue_of(job.kind), "reason": reason, "error": failure.error}
    values |= {"message": error["message"], "endpoint": endpoint, "context": json.dumps(_context(job, failure))}
    s.execute(_PARK, values)
    return True


def _context(job: Job, failure: Failure) -> dict[str, Any]:
    """What helps to understand it: ids and figures. `args` holds ids only, and is redacted all the same."""
    known = {
        "args": dict(job.args),
        "aggregate": job.aggregate,
        "seq": job.seq,
        "parent_id": None if job.parent_id is None else str(job.parent_id),
        "traceparent": job.traceparent,
        "requeues": job.requeues,
        "fence": job.fence,
        "status": failure.status,
        "retry_after": failure.retry_after,
        "transient": failure.transient,
    }
    return redact({name: value for name, value in known.items() if value is not None})


# The same bytes over and over, as a broken publisher sends them, are one letter with a count.
_RAW_AGAIN = text(f"""
UPDATE dead_letters SET deliveries = deliveries + 1 WHERE id = (
    SELECT id FROM dead_letters WHERE {OPEN} AND job_id IS NULL AND queue = :queue AND context ->> 'sha256' = :sha256
    ORDER BY id LIMIT 1)
RETURNING id
""")
_RAW = text("""
INSERT INTO dead_letters (queue, reason, error_class, deliveries, context)
VALUES (:queue, :reason, 'Undecodable', 1, CAST(:context AS jsonb))
""")


def park_raw(s: Session, raw: bytes, queue: str, reason: str) -> None:
    """Keeps the account of bytes that are no message of ours: size, digest and a masked beginning, never the bytes."""
    context = {"size": len(raw), "sha256": sha256(raw).hexdigest(), "head": redact_raw(raw)}
    if s.execute(_RAW_AGAIN, {"queue": queue, "sha256": context["sha256"]}).first() is None:
        s.execute(_RAW, {"queue": queue, "reason": redact_error(reason), "context": json.dumps(context)})


def size(s: Session) -> dict[str, int]:
    """How many open letters each queue has; queues without any are left out."""
    found = s.execute(text(f"SELECT coalesce(queue, ''), count(*) FROM dead_letters WHERE {OPEN} GROUP BY 1"))
    return {row[0]: row[1] for row in found}


def listing(
    s: Session, choice: Choice | None = None, *, limit: int = 50, closed: bool = False
) -> list[Mapping[str, Any]]:
    """The letters chosen, newest first, as mappings of the table's columns; `closed` shows the dealt-with as well."""
    where, values = (choice or Choice()).where()
    if not closed:
        where = f"{OPEN} AND {where}"
    statement = text(f"SELECT d.* FROM dead_letters d WHERE {where} ORDER BY id DESC LIMIT :limit")
    return [dict(row) for row in s.execute(statement, values | {"limit": limit}).mappings()]


def by_endpoint(s: Session, choice: Choice | None = None) -> list[Mapping[str, Any]]:
    """Open letters counted by the endpoint that refused them, the worst first: which partner is broken?"""
    where, values = (choice or Choice()).where()
    statement = text(f"""
        SELECT endpoint, count(*) AS dead_letters, count(DISTINCT tenant_id) AS tenants,
            array_agg(DISTINCT error_class) FILTER (WHERE error_class IS NOT NULL) AS error_classes,
            min(parked_at) AS oldest_parked_at, max(parked_at) AS newest_parked_at
        FROM dead_letters d WHERE {OPEN} AND job_id IS NOT NULL AND {where}
        GROUP BY endpoint ORDER BY endpoint IS NULL, 2 DESC, 1""")
    return [dict(row) for row in s.execute(statement, values).mappings()]


def requeue(s: Session, choice: Choice, by: str, *, dry_run: bool = False) -> tuple[list[JobId], list[tuple[int, str]]]:
    """Starts the chosen failed jobs again from the beginning, with a message on its way for each, in their old order.

    Returns the jobs, and the letters left alone with the reason. Twice is harmless: the second finds them closed.
    """
    started: dict[JobId, int] = {}
    skipped = choice.unknown(s)
    for row in choice.lock(s):
        if row.closed or row.job_id is None:
            skipped.append((row.id, "closed" if row.closed else "no job"))
        elif row.state != "failed" or not (dry_run or jobs.restart(s, row.job_id, f"requeued by {by}"[:200])):
            skipped.append((row.id, f"job is {row.state}"))
        else:
            started[row.job_id] = row.id
    if started and not dry_run:
        s.execute(
            text("UPDATE dead_letters SET requeued_at = clock_timestamp() WHERE id = ANY(:ids)"),
            {"ids": list(started.values())},
        )
        outbox.emit(s, list(started))
        note(s, by, "requeue", choice.describe(), {"count": len(started), "letters": list(started.values())[:100]})
    return list(started), skipped


def purge(
    s: Session, choice: Choice, by: str, reason: str, *, dry_run: bool = False
) -> tuple[list[int], list[tuple[int, str]]]:
    """Closes the chosen letters for good; their jobs stay failed, and the audit says who gave them up, and why.

    Returns the letters, and those left alone with the reason.
    """
    skipped = choice.unknown(s)
    rows = choice.lock(s)
    skipped += [(row.id, "closed") for row in rows if row.closed]
    chosen = [row.id for row in rows if not row.closed]
    if chosen and not dry_run:
        s.execute(text("UPDATE dead_letters SET purged_at = clock_timestamp() WHERE id = ANY(:ids)"), {"ids": chosen})
        detail = {"count": len(chosen), "reason": redact_error(reason), "letters": chosen[:100]}
        note(s, by, "purge", choice.describe(), detail)
    return chosen, skipped


def note(s: Session, by: str, action: str, target: str, detail: Mapping[str, Any]) -> None:
    """A row of the audit, which is never deleted."""
    s.execute(
        text(
            "INSERT INTO audit (actor, action, target, detail) VALUES (:by, :action, :target, CAST(:detail AS jsonb))"
        ),
        {"by": by, "action": action, "target": target, "detail": json.dumps(dict(detail))},
    )
