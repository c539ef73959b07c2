"""Collects a history from a running system: HTTP, Postgres, the partner's ledger, the object store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
import psycopg
from psycopg.rows import dict_row

from accepted.oracle.history import TERMINAL, Artifact, Asked, Effect, EffectKind, Event, History, Job, Step
from billing.storage import NoSuchObject, open_store

_FAMILY = """
SELECT id::text, kind, natural_key, state, parent_id::text, result, fence
FROM jobs WHERE id = ANY(%(ids)s::uuid[]) OR parent_id = ANY(%(ids)s::uuid[])
"""
_EVENTS = """
SELECT job_id::text AS job, seq, state, percent, extract(epoch FROM at)::float8 AS at, message
FROM job_events WHERE job_id = ANY(%(ids)s::uuid[]) ORDER BY job_id, seq
"""
_STEPS = """
SELECT job_id::text AS job, name, fence, extract(epoch FROM finished_at)::float8 AS at
FROM job_steps WHERE job_id = ANY(%(ids)s::uuid[])
"""
_POINTERS = """
SELECT j.id::text AS job, r.artifact_key AS pointer FROM jobs j JOIN reports r ON r.id::text = j.args ->> 'report_id'
WHERE j.id = ANY(%(ids)s::uuid[]) AND j.kind = 'report.export'
"""
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"


@dataclass(frozen=True)
class Witnesses:
    """Where to ask. The URLs are the servers' own, never those of a proxy that plays faults.

    `partner`: its owner's client, kept open, because a new one costs 10 ms of both cores' time at every look.
    """

    web: str
    token: str
    database: str
    partner: httpx.Client
    object_store: str


def ended(http: httpx.Client, jobs: Sequence[str]) -> bool:
    """Whether each of these jobs and all its children are terminal, as HTTP tells it now. Raises httpx.HTTPError."""
    for job in jobs:
        answer = http.get(f"/jobs/{job}").raise_for_status().json()["job"]
        if answer["state"] not in TERMINAL:
            return False
        children = answer.get("children")
        if children and sum(children[state] for state in TERMINAL) != children["total"]:
            return False
    return True


def read(
    where: Witnesses, asked: Sequence[Asked], *, drained: bool, patience: float, since: int = 0, note: str = "",
    refused: Sequence[str] = (),
) -> History:  # fmt: skip
    """The history of these keys; `since`: the ledger's seq before the first of them was asked for.

    Every effect after `since` counts, so a key that nobody asked for shows as well.
    """
    ids = [one.job for one in asked if one.job]
    with psycopg.connect(where.database, row_factory=dict_row, connect_timeout=5) as connection:
        family = connection.execute(_FAMILY, {"ids": ids}).fetchall()
        everyone = {"ids": [row["id"] for row in family]}
        events = connection.execute(_EVENTS, everyone).fetchall()
        steps = connection.execute(_STEPS, everyone).fetchall()
        pointers = connection.execute(_POINTERS, everyone).fetchall()
        now = connection.execute(_NOW).fetchone()
    jobs = tuple(
        Job(row["id"], row["kind"], row["natural_key"], row["state"], row["parent_id"], row["result"],
            row["fence"])
        for row in family
    )  # fmt: skip
    ledger = where.partner.get("/ledger", params={"after": str(since)})
    return History(
        asked=tuple(asked),
        jobs=jobs,
        events=tuple(Event(**row) for row in events),
        effects=tuple(_effect(one) for one in ledger.raise_for_status().json()["effects"]),
        steps=tuple(Step(**row) for row in steps),
        artifacts=tuple(Artifact(row["job"], row["pointer"], _exists(where, row["pointer"])) for row in pointers),
        refused=tuple(refused),
        drained=drained,
        ended=float(now["now"]) if now else 0.0,
        patience=patience,
        note=note,
    )


def _effect(entry: dict[str, Any]) -> Effect:
    kind = cast(EffectKind, entry["kind"])
    return Effect(kind, entry["key"], entry["seq"], entry["at"], entry.get("subscriber"), entry.get("worker"))


def _exists(where: Witnesses, pointer: str | None) -> bool:
    if pointer is None:
        return False
    try:
        return open_store(where.object_store).stat(pointer).size > 0
    except NoSuchObject:
        return False
