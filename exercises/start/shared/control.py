"""Pausing and resuming, by everything, queue or kind: a flag in Postgres that relay and claim look at.

While a scope is paused the relay leaves its outbox rows where they are, and a claim is refused: its message is
acknowledged and forgotten, because a message that went back to the broker would come again at once. What was
forgotten is published again by `resume`.
"""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from . import jobs, outbox
from .backend import broker
from .dead_letters import note


class UnknownScope(ValueError):
    """There is nothing of that name to pause."""


def kinds_of(scope: str) -> frozenset[str]:
    """The kinds of work that a scope covers. Raises UnknownScope."""
    what, _, name = scope.partition(":")
    if scope == "all":
        return frozenset(jobs.KINDS)
    if what == "kind" and name in jobs.KINDS:
        return frozenset({name})
    if what == "queue":
        found = frozenset(kind for kind in jobs.KINDS if broker().queue_of(kind) == name)
        if found:
            return found
    queues = ", ".join(f"queue:{queue}" for queue in broker().queues())
    kinds = ", ".join(f"kind:{kind}" for kind in jobs.KINDS)
    raise UnknownScope(f"There is no {scope!r} to pause. Give one of: all, {queues}, {kinds}.")


def pauses(s: Session) -> list[Mapping[str, Any]]:
    """The pauses in force: scope, actor, reason, at."""
    return [
        dict(row) for row in s.execute(text("SELECT scope, actor, reason, at FROM pauses ORDER BY scope")).mappings()
    ]


# The same condition as in the relay's and the claim's statements, for one kind.
_PAUSED = text("""
SELECT EXISTS (SELECT FROM pauses
    WHERE scope IN ('all', 'kind:' || :kind, 'queue:' || (CAST(:queues AS jsonb) ->> :kind)))
""")


def paused(s: Session, kind: str) -> bool:
    """Whether `kind` is paused at this moment. A claim must ask this way: one that goes by an older answer would throw
    away the message that `resume` has just published."""
    return bool(s.execute(_PAUSED, {"kind": kind, "queues": jobs.queues_json()}).scalar_one())


CACHE_SECONDS = 1.0
_seen: tuple[float, frozenset[str]] | None = None


def paused_kinds(s: Session) -> frozenset[str]:
    """The kinds that are paused, as this process knew it within the last second: good enough to show or to poll by."""
    global _seen
    now = time.monotonic()
    if _seen is None or now >= _seen[0]:
        _seen = (now + CACHE_SECONDS, paused_now(s))
    return _seen[1]


def paused_now(s: Session) -> frozenset[str]:
    """The kinds that are paused at this moment."""
    found: set[str] = set()
    for scope in s.execute(text("SELECT scope FROM pauses")).scalars():
        try:
            found |= kinds_of(scope)
        except UnknownScope:
            continue  # paused by a release that had more to pause
    return frozenset(found)


def pause(s: Session, scope: str, by: str, reason: str = "") -> bool:
    """Nothing of the scope starts from the caller's commit on; what runs goes on to its end. False if it was paused.

    Raises UnknownScope.
    """
    kinds_of(scope)
    statement = text("""
        INSERT INTO pauses (scope, actor, reason) VALUES (:scope, :by, :reason)
        ON CONFLICT DO NOTHING RETURNING scope""")
    if s.execute(statement, {"scope": scope, "by": by, "reason": reason}).first() is None:
        return False
    note(s, by, "pause", scope, {"reason": reason})
    return True


# Whether a message still lies on the broker or was forgotten can't be told from here, so each gets one more; the
# second of two is refused at the claim.
_FORGOTTEN = text("""
SELECT j.id FROM jobs j JOIN outbox o ON o.job_id = j.id
WHERE j.state = 'queued' AND j.kind = ANY(:kinds) AND NOT EXISTS (
    SELECT FROM pauses
    WHERE scope IN ('all', 'kind:' || j.kind, 'queue:' || (CAST(:queues AS jsonb) ->> j.kind)))
GROUP BY j.id HAVING bool_and(o.published_at IS NOT NULL) ORDER BY max(o.id)
""")


def resume(s: Session, scope: str, by: str) -> int | None:
    """Lifts the pause and asks for a message for each job that waits; returns how many, or None if it wasn't paused.

    What another pause still covers is left to that one's end. Raises UnknownScope.
    """
    kinds = kinds_of(scope)
    if s.execute(text("DELETE FROM pauses WHERE scope = :scope RETURNING scope"), {"scope": scope}).first() is None:
        return None
    found = list(s.execute(_FORGOTTEN, {"kinds": list(kinds), "queues": jobs.queues_json()}).scalars())
    outbox.emit(s, found)
    note(s, by, "resume", scope, {"republished": len(found)})
    return len(found)
