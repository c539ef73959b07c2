"""Illegal: a job's events without a gap, in legal steps, never backwards, and nothing written by who lost the lease."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from accepted.oracle.history import TERMINAL, Event, History, Job
from accepted.oracle.verdict import Finding

# The contract's diagram, and `running → queued`: a lost lease.
FOLLOWS: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"running", "succeeded", "retrying", "failed", "queued"}),
    "retrying": frozenset({"queued", "failed", "cancelled"}),
    "failed": frozenset({"queued"}),  # requeued
    "succeeded": frozenset(),
    "cancelled": frozenset(),
}


def illegal(history: History) -> Iterator[Finding]:
    for job in history.jobs:
        yield from _of(job, history.of(job.id))


def _of(job: Job, events: Sequence[Event]) -> Iterator[Finding]:
    if not events:
        yield Finding("illegal", job.key, "it has no event at all")
        return
    numbers = [one.seq for one in events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Finding("illegal", job.key, f"its events are numbered {_short(numbers)}")
    if events[0].state != "queued":
        yield Finding("illegal", job.key, f"it begins as {events[0].state}")
    for before, after in pairwise(events):
        requeued = before.state == "failed" and after.state == "queued"
        if after.state not in FOLLOWS.get(before.state, frozenset()):
            yield Finding("illegal", job.key, f"from {before.state} to {after.state} (event {after.seq})")
        if after.percent < before.percent and not requeued:
            how = f"from {before.percent} % back to {after.percent} % (event {after.seq})"
            yield Finding("illegal", job.key, how)
    if job.state in TERMINAL and events[-1].state != job.state:
        yield Finding("illegal", job.key, f"it is {job.state}, and its last event says {events[-1].state}")


def stale(history: History) -> Iterator[Finding]:
    """A step written under a fencing token that was no longer the newest.

    A claim and a lost lease each raise the token by one, so the events tell which one was in force when.
    """
    for job in history.jobs:
        events = history.of(job.id)
        raised = [
            after.at
            for before, after in pairwise(events)
            if (before.state, after.state) in {("queued", "running"), ("running", "queued")}
        ]
        if len(raised) != job.fence:
            continue  # a tree that counts otherwise: nothing certain can be said
        for step in history.steps:
            newest = sum(at < step.at for at in raised)
            if step.job == job.id and step.fence < newest:
                how = f"step {step.name} was written under token {step.fence} when {newest} was the newest"
                yield Finding("illegal", job.key, how)


def _short(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return shown + (", …" if len(numbers) > 12 else "")
