"""What a running system says of its jobs: Postgres, the partner's ledger, the object store. Their clocks are one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from accepted.load.identity import Effect, trace_of
from accepted.load.plan import Objects
from accepted.load.seen import Seen
from accepted.stack.environment import Addresses
from billing.seed import token
from billing.storage import open_store

_JOBS = """
SELECT j.id::text, j.kind, j.natural_key AS key, j.state, j.parent_id::text AS parent,
    extract(epoch FROM o.at)::float8 AS t_enq,
    extract(epoch FROM coalesce(e.at, j.started_at))::float8 AS t_start,
    extract(epoch FROM j.finished_at)::float8 AS t_over,
    greatest(j.deliveries, j.failures) AS attempts, j.result
FROM jobs j
LEFT JOIN (SELECT job_id, min(published_at) AS at FROM outbox GROUP BY job_id) o ON o.job_id = j.id
LEFT JOIN (SELECT job_id, min(at) AS at FROM job_events WHERE state = 'running' GROUP BY job_id) e ON e.job_id = j.id
"""
_POINTERS = """
SELECT j.id::text, r.artifact_key FROM jobs j JOIN reports r ON r.id::text = j.args ->> 'report_id'
WHERE j.kind = 'report.export'
"""
_NOOPS = "SELECT natural_key FROM effects WHERE natural_key LIKE '%:noop:%'"
_STANDING = """
SELECT count(*) FILTER (WHERE state NOT IN ('succeeded', 'failed', 'cancelled')),
    count(*) FILTER (WHERE state = 'retrying'), coalesce(sum(event_seq), 0)::bigint
FROM jobs
"""
_MORE_ACCOUNTS = """
INSERT INTO payout_accounts (tenant_id, holder_name, iban, currency)
SELECT tenant_id, holder_name, iban, 'EUR' FROM
    (SELECT DISTINCT ON (tenant_id) * FROM payout_accounts ORDER BY tenant_id, id) one, generate_series(1, %s)
"""
_FEWER_SUBSCRIBERS = """
UPDATE subscribers SET active = false WHERE id NOT IN (
    SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS n
        FROM subscribers WHERE active) numbered WHERE n <= %s)
"""
ACCOUNTS = 400  # payouts of one account wait for one another; a crowd of payees does not


def prepare(database: str, subscribers: int) -> dict[str, Objects]:
    """Sets the made-up data up for a crowd, and says what each tenant has to work on."""
    found = {}
    with psycopg.connect(database, connect_timeout=10) as connection:
        connection.execute(_MORE_ACCOUNTS, (ACCOUNTS,))
        connection.execute(_FEWER_SUBSCRIBERS, (subscribers,))
        for (tenant,) in connection.execute("SELECT id FROM tenants ORDER BY id").fetchall():
            invoices = connection.execute(
                "SELECT id, version FROM invoices WHERE tenant_id = %s AND status <> 'draft' ORDER BY id", (tenant,)
            ).fetchall()
            accounts = connection.execute(
                "SELECT id FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR' ORDER BY id DESC", (tenant,)
            ).fetchall()
            found[tenant] = Objects(token(tenant), [(row[0], row[1]) for row in invoices], [row[0] for row in accounts])
    return found


def standing(database: str) -> tuple[int, int, int]:
    """Jobs that have not come to their end; those of them that wait for another try; events of all jobs so far."""
    with psycopg.connect(database, connect_timeout=5) as connection:
        row = connection.execute(_STANDING).fetchone() or (0, 0, 0)
    return int(row[0]), int(row[1]), int(row[2])


def jobs(where: Addresses) -> list[Seen]:
    """Every job that no other job is the parent of, with its children."""
    with psycopg.connect(where.database, row_factory=dict_row, connect_timeout=10) as connection:
        rows = connection.execute(_JOBS).fetchall()
        pointers = {row["id"]: row["artifact_key"] for row in connection.execute(_POINTERS)}
    stored = _stored(where.object_store) if any(pointers.values()) else frozenset()
    with_artifact = {job for job, pointer in pointers.items() if pointer in stored}
    children: defaultdict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row["parent"]:
            children[row["parent"]].append(_seen(row, (), False))
    return [_seen(row, children[row["id"]], row["id"] in with_artifact) for row in rows if not row["parent"]]


def effects(partner: str, database: str) -> list[Effect]:
    """Every effect that the partner saw; of no-ops, those that Postgres has."""
    told = httpx.get(f"{partner}/ledger", timeout=60, trust_env=False).raise_for_status().json()["effects"]
    found = [Effect(each["kind"], each["key"], trace_of(each.get("traceparent")), each.get("subscriber"))
             for each in told]  # fmt: skip
    with psycopg.connect(database, connect_timeout=10) as connection:
        return found + [Effect("noop", key) for (key,) in connection.execute(_NOOPS).fetchall()]


def _seen(row: Mapping[str, Any], children: Sequence[Seen], has_artifact: bool) -> Seen:
    result = row["result"] or {}
    return Seen(
        row["id"], row["kind"], row["key"], row["state"], row["t_enq"], row["t_start"], row["t_over"], row["attempts"],
        has_artifact, bool(result.keys() & {"superseded_by", "skipped"}), int(result.get("children") or 0),
        tuple(children),
    )  # fmt: skip


def _stored(url: str) -> frozenset[str]:
    return frozenset(one.key for one in open_store(url).list())
