"""What the law goes by, read from Postgres and the broker port.

A job waits if it is queued in Postgres *and* has a message on the broker: a worker can take it now. What still lies in
the outbox, or is paused, wants a relay or a person, not a worker; and a message too many wants nobody.
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

from .. import control, jobs, pools
from ..backend import broker
from .core import POOLS, Signals

FIRST_GUESS = 1.0  # s that a job takes, before any has ended

_JOBS = text("SELECT kind, state, count(*) AS n FROM jobs WHERE state IN ('queued', 'running') GROUP BY kind, state")
_SERVICE = text("""
SELECT kind, avg(extract(epoch FROM finished_at - started_at)) AS seconds FROM (
    SELECT kind, started_at, finished_at FROM jobs WHERE finished_at > now() - interval '1 minute'
    ORDER BY finished_at DESC LIMIT 1000
) AS newest WHERE started_at IS NOT NULL GROUP BY kind
""")
# Where none has ended of late, those at work tell: they take at least as long as they have so far.
_SO_FAR = text("""
SELECT kind, avg(extract(epoch FROM clock_timestamp() - started_at)) AS seconds FROM jobs
WHERE state = 'running' GROUP BY kind
""")
_BUSY = text("SELECT worker FROM jobs WHERE state = 'running' AND worker IS NOT NULL")


def read(s: Session) -> dict[str, Signals]:
    """The signals of each pool. Raises BrokerDown, DBAPIError."""
    paused = control.paused_now(s)
    counts = {(row.kind, row.state): int(row.n) for row in s.execute(_JOBS)}
    ages = jobs.oldest_ready(s)
    service = {row.kind: float(row.seconds) for statement in (_SO_FAR, _SERVICE) for row in s.execute(statement)}
    return {pool: _of(pools.queues_for(pool), counts, ages, service, paused) for pool in POOLS}


def busy(s: Session) -> Counter[str]:
    """How many jobs each worker holds, by its name HOST:PID."""
    return Counter(s.execute(_BUSY).scalars())


def _of(
    queues: list[str],
    counts: Mapping[tuple[str, str], int],
    ages: Mapping[str, float],
    service: Mapping[str, float],
    paused: frozenset[str],
) -> Signals:
    waiting, oldest, running = 0, 0.0, 0
    weights: Counter[str] = Counter()
    for queue in queues:
        kinds = [kind for kind in jobs.KINDS if broker().queue_of(kind) == queue]
        ready = {kind: n for kind in kinds if kind not in paused and (n := counts.get((kind, "queued"), 0))}
        if here := min(sum(ready.values()), broker().depth(queue) if ready else 0):
            waiting += here
            oldest = max([oldest, *(ages.get(kind, 0.0) for kind in ready)])
            weights.update(ready)
        running += sum(counts.get((kind, "running"), 0) for kind in kinds)
    total = weights.total()
    mean = sum(service.get(kind, FIRST_GUESS) * n for kind, n in weights.items()) / total if total else FIRST_GUESS
    return Signals(waiting, oldest, running, mean)
