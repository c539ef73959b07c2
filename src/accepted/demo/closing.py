"""The closing count: taken from Postgres and the partner's ledger, never from the story that was told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

# The kinds whose effect a partner sees, by the name under which its ledger keeps them.
WITNESSED = {"payout.send": "charge", "email.send": "email", "webhook.deliver": "webhook"}


@dataclass(frozen=True)
class Closing:
    """Jobs by what became of them, and the number of effects of each natural key."""

    accepted: int
    done: int
    retried: int
    dead_lettered: int
    requeued: int
    unfinished: int
    effects: Mapping[str, int]
    phantoms: tuple[str, ...] = ()
    wrong: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not self.wrong


def judge(jobs: Iterable[Mapping[str, Any]], dead: int, ledger: Mapping[str, Mapping[str, int]]) -> Closing:
    """`jobs` are rows of `JOBS`; `dead` counts dead letters; `ledger` is kind → key → number of effects."""
    rows = list(jobs)
    effects: dict[str, int] = {}
    wrong: list[str] = []
    asked: dict[str, set[str]] = {kind: set() for kind in WITNESSED.values()}
    for job in rows:
        key, kind = str(job["natural_key"]), str(job["kind"])
        if kind in WITNESSED:
            asked[WITNESSED[kind]].add(key)
        if job["state"] != "succeeded" or (job["result"] or {}).keys() & {"superseded_by", "skipped"}:
            continue
        if kind == "report.export":
            effects[key] = int(job["artifacts"])
        elif kind in WITNESSED:
            effects[key] = ledger.get(WITNESSED[kind], {}).get(key, 0)
    phantoms = [f"{kind} {key}" for kind, seen in ledger.items() for key in seen if key not in asked.get(kind, set())]
    wrong += [f"{key}: {n} effects" for key, n in effects.items() if n != 1]
    wrong += [f"an effect that nobody asked for: {phantom}" for phantom in phantoms]
    return _closing(rows, dead, effects, wrong, tuple(phantoms))


def visible(jobs: Iterable[Mapping[str, Any]], dead: int, ledger: Mapping[str, Mapping[str, int]]) -> Closing:
    """The count of a sunny day, as users see it: all work done, and as many effects of each sort as jobs for them.

    `effects` is by sort (charge, email, webhook, report), since nobody asks here under which key a partner saw them.
    """
    rows = list(jobs)
    owed: Counter[str] = Counter(dict.fromkeys([*WITNESSED.values(), "report"], 0))
    for job in rows:
        if not (job["result"] or {}).keys() & {"superseded_by", "skipped"}:
            sort = "report" if job["kind"] == "report.export" else WITNESSED.get(str(job["kind"]))
            owed.update([sort] if sort else [])
    effects = {sort: sum(ledger.get(sort, {}).values()) for sort in WITNESSED.values()}
    effects["report"] = sum(int(job["artifacts"]) for job in rows if job["kind"] == "report.export")
    wrong = [f"{sort}: {n} effects for {owed[sort]} jobs" for sort, n in effects.items() if n != owed[sort]]
    return _closing(rows, dead, effects, wrong)


def _closing(
    rows: Sequence[Mapping[str, Any]],
    dead: int,
    effects: Mapping[str, int],
    wrong: list[str],
    phantoms: tuple[str, ...] = (),
) -> Closing:
    states = Counter(str(job["state"]) for job in rows)
    unfinished = len(rows) - states["succeeded"] - states["failed"] - states["cancelled"]
    if unfinished:
        wrong.append(f"{unfinished} jobs have not come to an end")
    if states["failed"]:
        wrong.append(f"{states['failed']} jobs are still among the dead letters")
    return Closing(
        accepted=len(rows),
        done=states["succeeded"],
        retried=sum(int(job["retries"]) > 0 for job in rows),
        dead_lettered=dead,
        requeued=sum(int(job["requeues"]) > 0 for job in rows),
        unfinished=unfinished,
        effects=effects,
        phantoms=phantoms,
        wrong=tuple(wrong),
    )


JOBS = """
SELECT j.kind, j.state, j.natural_key, j.requeues, j.result,
    (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.state = 'retrying') AS retries,
    (SELECT count(r.artifact_key) FROM reports r WHERE r.id::text = j.args ->> 'report_id') AS artifacts
FROM jobs j
"""


def read(database_url: str) -> tuple[list[dict[str, Any]], int]:
    """The rows for `judge`, and how many dead letters were ever written."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        jobs = connection.execute(JOBS).fetchall()
        dead = connection.execute("SELECT count(*) AS n FROM dead_letters").fetchone()
    assert dead is not None
    return jobs, int(dead["n"])
