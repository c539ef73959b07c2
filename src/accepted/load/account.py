"""Every job by its id: what was asked, what was answered, what the witnesses saw. Pure.

Times are seconds since the epoch. Nothing is left out: what never ended is right-censored, what was never accepted
waits for ever.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accepted.load.plan import Planned
from accepted.load.seen import TERMINAL, WITNESSED, Seen

Effects = Mapping[tuple[str, str], int]  # (charge | email | webhook | noop, key) → how many


@dataclass
class Row:
    """One arrival's life. `t_done`: its effect is committed. `t_over`: nothing more will come of it."""

    n: int
    phase: str
    kind: str
    tenant: str
    expect: str
    key: str | None
    t_int: float
    t_send: float | None = None
    t_acc: float | None = None
    t_enq: float | None = None
    t_start: float | None = None
    t_done: float | None = None
    t_over: float | None = None
    status: int | None = None
    error: str | None = None
    job: str | None = None
    state: str | None = None
    attempts: int = 0
    effects: int | None = None

    @property
    def accepted(self) -> bool:
        return self.t_acc is not None

    @property
    def lag(self) -> float:
        return math.inf if self.t_send is None else self.t_send - self.t_int

    def took(self, metric: str) -> float | None:
        """A metric in seconds; infinity where it has not come to an end, None where it has no meaning here."""
        if metric == "accept":
            return _between(self.t_int, self.t_acc)
        if not self.accepted:
            return None  # it counts among the refused
        if metric == "relay":
            return None if self.t_enq is None else _between(self.t_acc, self.t_enq)
        if metric == "wait":
            if self.t_start is None and self.t_over is not None:
                return None
            return _between(self.t_enq or self.t_acc, self.t_start)
        if self.expect != "done":
            return None
        return _between(self.t_int, self.t_done)


def _between(first: float | None, then: float | None) -> float:
    return math.inf if first is None or then is None else then - first


@dataclass
class Account:
    """All rows, and what must never happen: keys by finding."""

    rows: list[Row]
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)


def account(
    zero: float,
    planned: Sequence[Planned],
    sent: Iterable[Mapping[str, Any]],
    seen: Iterable[Seen],
    effects: Effects,
    standstill: bool = True,
) -> Account:
    """Joins what was due with what the client and the witnesses saw. Every planned request that was due is in it.

    `standstill`: nothing moves any more, so what is unfinished is lost; else it is only late, and counts as unfinished.
    """
    lines = {line["n"]: line for line in sent}
    jobs = {one.id: one for one in seen}
    by_key = {one.key: one for one in jobs.values()}
    found = Account([_row(zero, each, lines.get(each.n, {}), jobs, by_key, effects) for each in planned])
    for row in found.rows:
        job = jobs.get(row.job or "") or by_key.get(row.key or "")
        if row.accepted and (why := _lost(row, job, standstill)):
            found.lost.append(f"{row.key or row.job or row.n}: {why}")
        if standstill and row.accepted and row.t_over is None:
            found.stuck.append(f"{row.key or row.job or row.n}: {row.state or 'gone'} for ever")
    found.duplicated = [f"{key}: {n} effects" for (kind, key), n in effects.items() if n > 1]
    found.phantom = [f"{key}: a {kind} that nobody asked for" for kind, key in _phantoms(planned, jobs, effects)]
    return found


def _row(
    zero: float, each: Planned, line: Mapping[str, Any], jobs: Mapping[str, Seen], by_key: Mapping[str, Seen],
    effects: Effects,
) -> Row:  # fmt: skip
    row = Row(each.n, each.phase, each.kind, each.tenant, each.expect, each.key, zero + each.at)
    row.t_send, row.t_acc, row.status = line.get("t_send"), line.get("t_acc"), line.get("status")
    row.error, row.job = line.get("error"), line.get("job")
    job = jobs.get(row.job or "") or by_key.get(row.key or "")
    if job is None:
        if row.t_acc is not None and row.job is None:  # the answer was the work itself: accepted and done at once
            row.t_done = row.t_over = row.t_acc
            row.state = "succeeded"
        return row
    row.job, row.key = job.id, job.key
    row.t_enq, row.t_start, row.state, row.attempts = job.t_enq, job.t_start, job.state, job.attempts
    row.effects = _effects(job, effects)
    row.t_over = _over(job)
    if row.effects and row.t_over is not None:
        row.t_done = row.t_over
    return row


def _effects(job: Seen, effects: Effects) -> int:
    """Of a kind that tells several, 1 where all were told."""
    if job.kind == "report.export":
        return int(job.has_artifact)
    if job.kind == "webhook.fanout":
        if job.superseded:
            return 1
        told = [child.superseded or effects.get(("webhook", child.key), 0) > 0 for child in job.children]
        return int(job.state == "succeeded" and len(told) >= job.wanted and all(told))
    return effects.get((WITNESSED[job.kind], job.key), 0)


def _over(job: Seen) -> float | None:
    """When it and all its children had come to their end; None: not yet."""
    everyone = (job, *job.children)
    if any(one.state not in TERMINAL for one in everyone):
        return None
    return max((one.t_over or 0.0 for one in everyone), default=None) or None


def _lost(row: Row, job: Seen | None, standstill: bool) -> str | None:
    if job is None:
        return None if row.t_done is not None else "it was accepted, and there is no such job"
    if row.t_over is None and not standstill:
        return None
    if row.expect == "parked" and job.state == "failed":
        return None
    if row.effects:
        return None
    return f"no effect; its job is {job.state}"


def _phantoms(planned: Sequence[Planned], jobs: Mapping[str, Seen], effects: Effects) -> list[tuple[str, str]]:
    asked = {each.key for each in planned} | {job.key for job in jobs.values()}
    children = {child.key for job in jobs.values() for child in job.children}
    return [(kind, key) for kind, key in effects if key not in asked and key not in children]


def counts(found: Account) -> Counter[str]:
    """For a line of numbers: planned, sent, accepted, refused, done, unfinished."""
    rows = found.rows
    return Counter(
        planned=len(rows),
        sent=sum(row.t_send is not None for row in rows),
        accepted=sum(row.accepted for row in rows),
        refused=sum(not row.accepted for row in rows),
        done=sum(row.t_done is not None for row in rows),
        parked=sum(row.state == "failed" for row in rows),
        unfinished=sum(row.accepted and row.t_over is None for row in rows),
    )
