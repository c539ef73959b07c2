"""Where a reader of a tenant's events stands, exactly, although transactions commit out of order.

A number that only grows can't say it: an event written early may commit late, and whoever asks for what is above
the highest number seen so far never gets it. Postgres' own answer to "what is visible" is a snapshot, so a snapshot
is the cursor: seen is what was visible in `seen`, and the rest is not. Reading the rows and the next snapshot in
one statement leaves no room for a gap or a repeat. Within what one read brought, the place (at, job, seq) counts.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from .shapes import EVENT, Event

_SNAPSHOT = re.compile(r"([0-9]{1,19}):([0-9]{1,19}):([0-9]{1,19}(?:,[0-9]{1,19})*)?", re.ASCII)
LONGEST = 6000  # characters of a cursor; headers end at 8190
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A pg_snapshot: transactions below `low` had ended, those from `high` on had not, nor had the `running` ones."""

    low: int
    high: int
    running: frozenset[int]

    @classmethod
    def parse(cls, words: str) -> Self:
        """Raises ValueError for what Postgres would not take."""
        found = _SNAPSHOT.fullmatch(words)
        if found is None:
            raise ValueError("not a snapshot")
        low, high = int(found[1]), int(found[2])
        running = [int(one) for one in found[3].split(",")] if found[3] else []
        if not (0 < low <= high < 2**63) or any(not low <= one < high for one in running):
            raise ValueError("not a snapshot")
        return cls(low, high, frozenset(running))

    def __str__(self) -> str:
        return f"{self.low}:{self.high}:{','.join(map(str, sorted(self.running)))}"

    def sees(self, xact: int) -> bool:
        return xact < self.low or (xact < self.high and xact not in self.running)

    def before(self, other: "Snapshot") -> bool:
        """Whether this one was taken earlier. Snapshots of one server are totally ordered: what one sees, every
        later one sees."""
        return (self.high, -len(self.running)) < (other.high, -len(other.running))


@dataclass(frozen=True, slots=True)
class Cursor:
    """Seen is all that `seen` sees, and of what `new` sees besides, all up to the place (at, job_id, seq)."""

    seen: Snapshot
    new: Snapshot
    at: datetime = EPOCH
    job_id: UUID = NOBODY
    seq: int = 0

    @classmethod
    def behind(cls, seen: Snapshot) -> Self:
        """After everything that `seen` sees."""
        return cls(seen, seen)

    @classmethod
    def parse(cls, words: str) -> Self:
        """Raises ValueError."""
        if len(words) > LONGEST:
            raise ValueError("too long for a cursor")
        parts = words.split("~")
        if len(parts) == 1:
            return cls.behind(Snapshot.parse(words))
        if len(parts) != 5 or not all(one.isascii() and one.isdigit() and len(one) < 18 for one in parts[2::2]):
            raise ValueError("not a cursor")
        at = EPOCH + timedelta(microseconds=int(parts[2]))
        if int(parts[4]) > 2**31 - 1:
            raise ValueError("not a cursor")
        return cls(Snapshot.parse(parts[0]), Snapshot.parse(parts[1]), at, UUID(parts[3]), int(parts[4]))

    def __str__(self) -> str:
        if self.new == self.seen:
            return str(self.seen)
        micros = (self.at - EPOCH) // timedelta(microseconds=1)
        return f"{self.seen}~{self.new}~{micros}~{self.job_id.hex}~{self.seq}"


def after(seen: Snapshot, new: Snapshot, events: list[Event]) -> list[tuple[Cursor, Event]]:
    """Each event with the cursor of whoever has got as far as it. `events`: all that `new` sees and `seen` doesn't."""
    events = sorted(events, key=lambda one: (one.at, one.job_id, one.seq))
    placed = [(Cursor(seen, new, one.at, one.job_id, one.seq), one) for one in events]
    return placed[:-1] + [(Cursor.behind(new), placed[-1][1])] if placed else []


# `new` first: what an interrupted read still owes comes before what happened since.
_AFTER = text(f"""
WITH here AS MATERIALIZED (SELECT pg_current_snapshot() AS snap)
SELECT CAST(here.snap AS text) AS snap, found.* FROM here LEFT JOIN LATERAL (
    SELECT {EVENT}, pg_visible_in_snapshot(xact, CAST(:new AS pg_snapshot)) AS owed
    FROM job_events
    WHERE tenant_id = :tenant AND xact >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
        AND NOT pg_visible_in_snapshot(xact, CAST(:seen AS pg_snapshot))
        AND NOT (pg_visible_in_snapshot(xact, CAST(:new AS pg_snapshot)) AND (at, job_id, seq) <= (:at, :job, :seq))
    ORDER BY owed DESC, at, job_id, seq LIMIT :most
) found ON true
""")


def read_after(s: Session, tenant: str, place: Cursor, most: int) -> tuple[list[tuple[Cursor, Event]], Cursor, bool]:
    """The tenant's next `most` events behind `place`, each with its cursor; the cursor behind them; is that all?"""
    values = {"tenant": tenant, "seen": str(place.seen), "new": str(place.new), "most": most}
    rows = s.execute(_AFTER, {**values, "at": place.at, "job": place.job_id, "seq": place.seq}).all()
    here = Snapshot.parse(rows[0].snap)
    found = [row for row in rows if row.job_id is not None]
    owed = [Event(*row[1:-1]) for row in found if row.owed]
    since = [Event(*row[1:-1]) for row in found if not row.owed]
    placed = [(Cursor(place.seen, place.new, one.at, one.job_id, one.seq), one) for one in owed]
    placed += [(Cursor(place.new, here, one.at, one.job_id, one.seq), one) for one in since]
    if len(found) == most:
        return placed, placed[-1][0], False
    if here.before(place.new):  # a cursor of another database, or of this one before it was restored
        here = place.new if not placed else here
    if placed:
        placed[-1] = (Cursor.behind(here), placed[-1][1])
    return placed, Cursor.behind(here), True
