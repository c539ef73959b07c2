"""Whose effect is it? By its key; where a tree gives its partner another key, by the trace that came with the call.

A tree that makes up a new reference at each try has had its effect all the same: once is done, twice is doubled. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accepted.load.plan import Planned
from accepted.load.seen import WITNESSED, Seen


@dataclass(frozen=True)
class Effect:
    """As the ledger has it: kind is charge, email or webhook (noop: as Postgres has it); `trace` is the trace id."""

    kind: str
    key: str
    trace: str | None = None
    subscriber: str | None = None


def trace_of(traceparent: str | None) -> str | None:
    """The trace id of a W3C traceparent."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None


def by_key(
    effects: Iterable[Effect], planned: Sequence[Planned], seen: Mapping[str, Seen]
) -> Counter[tuple[str, str]]:  # fmt: skip
    """How many effects each natural key had. One that belongs to nobody keeps the key that it came with."""
    known = {key for job in seen.values() for key in (job.key, *(child.key for child in job.children))}
    known |= {each.key for each in planned if each.key}
    of_trace = {trace_of(each.headers.get("traceparent")): each for each in planned}
    parents = {job.key: job for job in seen.values()}
    found: Counter[tuple[str, str]] = Counter()
    for one in effects:
        key = one.key
        if key not in known and (asked := of_trace.get(one.trace)) and asked.key:
            if WITNESSED.get(asked.kind) == one.kind:
                key = asked.key
            elif one.kind == "webhook" and asked.kind == "webhook.fanout":
                key = _child(parents.get(asked.key), one.subscriber) or key
        found[one.kind, key] += 1
    return found


def _child(parent: Seen | None, subscriber: str | None) -> str | None:
    """The key of the delivery to that subscriber: T:webhook:SUBSCRIBER:…"""
    keys = (child.key for child in parent.children) if parent else ()
    return next((key for key in keys if key.split(":")[2:3] == [str(subscriber)]), None)
