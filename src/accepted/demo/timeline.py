"""One job's way, from three witnesses: its events in Postgres, the partner's ledger, and what the story did to it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import psycopg

EVENTS = """
SELECT extract(epoch FROM at)::float8, state, message FROM job_events WHERE job_id = %s ORDER BY seq
"""


def events(database_url: str, job_id: str) -> list[tuple[float, str]]:
    """(epoch seconds, what happened) for each event of the job."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(EVENTS, (job_id,)).fetchall()
    return [(at, f"job {state}" + (f": {message}" if message else "")) for at, state, message in rows]


def calls(entries: Iterable[Mapping[str, Any]]) -> list[tuple[float, str]]:
    """The partner's side: when each call came, and what it was answered with."""
    found = []
    for call in entries:
        who = f"worker {str(call.get('worker') or '?').rpartition(':')[2]}"
        key = call.get("idempotency_key") or call.get("key")
        answer = call.get("status") or call.get("broke") or "no answer"
        note = "  ← the same charge, replayed by its key" if call.get("replayed") else ""
        found.append((float(call["at"]), f"{who} → partner: {call['op']} key={key} → {answer}{note}"))
    return found


def render(entries: Iterable[tuple[float, str]]) -> list[str]:
    """Lines in order of time, with the local time of day to the millisecond."""
    local = datetime.now().astimezone().tzinfo
    return [f"{datetime.fromtimestamp(at, local):%H:%M:%S.%f}"[:-3] + f"  {text}" for at, text in sorted(entries)]
