"""No-op jobs as an accepting process leaves them: job, first event and outbox row, committed together.

Written straight into the given schema, five hundred a transaction. Through HTTP, the two cores would be busy with
the web process, which a bench of its own measures.
"""

from contextlib import suppress
from uuid import UUID

import psycopg

BATCH = 500
TENANT = "acme"
QUEUE = "noops"

_ADD = """
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, md5(random()::text) AS trace FROM generate_series(1, %(count)s)
), added AS (
    INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)
    SELECT id, %(tenant)s, 'noop', %(tenant)s || ':noop:' || id || ':1', '{}', %(tenant)s || ':noop:' || id, 0, trace,
        '00-' || trace || '-' || left(trace, 16) || '-01'
    FROM made RETURNING id, tenant_id, kind, aggregate, seq
), told AS (
    INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
    SELECT id, 1, tenant_id, 'queued', 0, '' FROM added
), promised AS (
    INSERT INTO outbox (job_id, kind, aggregate, seq) SELECT id, kind, aggregate, seq FROM added WHERE %(publish)s
)
SELECT id FROM added
"""
_CLEAR = "TRUNCATE jobs, effects CASCADE"


def accept(connection: psycopg.Connection, count: int, *, publish: bool = True) -> list[UUID]:
    """Accepts so many in transactions of BATCH. `publish=False`: without the outbox row, jobs that nobody will run."""
    ids: list[UUID] = []
    for at in range(0, count, BATCH):
        with connection.transaction():
            values = {"count": min(BATCH, count - at), "tenant": TENANT, "publish": publish}
            ids += [row[0] for row in connection.execute(_ADD, values)]
    return ids


def settle(connection: psycopg.Connection) -> None:
    """Fresh statistics and no dead rows, as autovacuum keeps a table that has been in use for a minute."""
    for table in ("jobs", "job_events", "outbox", "effects"):
        connection.execute(f"VACUUM ANALYZE {table}")


def clear(connection: psycopg.Connection) -> None:
    """No jobs, as at the beginning of every round. The connection is in autocommit."""
    # The system goes on reading, and takes these tables in more than one order: now and then this is a deadlock, of
    # which PostgreSQL ends one side after a second. Then the other side is through, and the tables are free.
    for _ in range(5):
        with suppress(psycopg.errors.DeadlockDetected):
            connection.execute(_CLEAR)
            return
    connection.execute(_CLEAR)
