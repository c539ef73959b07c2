"""Which fault, if any, meets a call. Pure: rules, counts and the call go in, a verdict comes out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Op = Literal["charge", "email", "hook", "lookup"]
Slot = tuple[int, str | None]  # a counter: rule number, and the key where the rule counts per key


def _known(calls: str | int | tuple[int, ...]) -> str | int | tuple[int, ...]:
    spans(calls)
    return calls


class Match(BaseModel):
    """The calls a rule is about. What is left out matches anything; `*` in subscriber or key is a wildcard."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    op: Op | None = None
    subscriber: str | None = None
    key: str | None = None


class Act(BaseModel):
    """What happens to the call: a delay in seconds, and at most one way to end it.

    `status` answers without an effect, with `retry_after` (seconds, or an HTTP-date as it stands) or
    `retry_after_date` (an HTTP-date so many seconds ahead). `drop` cuts the connection before any effect, `hang` holds
    it without one until the client leaves or the faults are lifted; the `accept_then_` forms do the same after the
    effect. With a delay alone the call then goes on as usual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    delay: float = Field(0.0, ge=0, le=3600)
    status: int | None = Field(None, ge=300, le=599)
    retry_after: int | str | None = None
    retry_after_date: float | None = None
    hang: bool = False
    drop: bool = False
    accept_then_drop: bool = False
    accept_then_hang: bool = False

    @model_validator(mode="after")
    def one_ending(self) -> Self:
        endings = [
            self.status is not None,
            self.hang,
            self.drop,
            self.accept_then_drop,
            self.accept_then_hang,
        ]
        if sum(endings) > 1:
            raise ValueError("choose one of status, hang, drop, accept_then_drop, accept_then_hang")
        if not any(endings) and not self.delay:
            raise ValueError("does nothing: give a delay, a status, hang, drop, accept_then_drop or accept_then_hang")
        if self.status is None and (self.retry_after is not None or self.retry_after_date is not None):
            raise ValueError("retry_after needs a status, such as 503")
        return self


class Rule(BaseModel):
    """`calls` are ordinals among the calls that match, from 1: "1-3", "4-", "2,5", [2, 5], 2 or "*" (all).

    With `"per": "key"` each key has a count of its own, so "1" is the first call of every key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    match: Match = Match()
    calls: Annotated[str | int | tuple[int, ...], AfterValidator(_known)] = "*"
    per: Literal["key"] | None = None
    do: Act


class Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule can see of a call. `keys`: the reference or webhook-id first, then the idempotency key."""

    op: Op
    keys: tuple[str, ...] = ()
    subscriber: str | None = None

    @property
    def key(self) -> str | None:
        return self.keys[0] if self.keys else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`act` and the number of its `rule` (None: no fault), and every counter that this call moves on by one."""

    act: Act | None
    rule: int | None
    counted: tuple[Slot, ...]


def decide(rules: Sequence[Rule], counts: Mapping[Slot, int], facts: Facts) -> Verdict:
    """Every matching rule counts the call; of those whose ordinals cover it, the first in order acts."""
    counted: list[Slot] = []
    hit: int | None = None
    for number, rule in enumerate(rules):
        if not _matches(rule.match, facts):
            continue
        slot = (number, facts.key if rule.per == "key" else None)
        counted.append(slot)
        if hit is None and _covers(rule.calls, counts.get(slot, 0) + 1):
            hit = number
    return Verdict(None if hit is None else rules[hit].do, hit, tuple(counted))


@lru_cache(maxsize=1024)
def spans(calls: str | int | tuple[int, ...]) -> tuple[tuple[int, int | None], ...]:
    """Ordinals as (first, last) pairs, last None for "and all later". Raises ValueError for what it can't read."""
    if calls == "*":
        return ((1, None),)
    if isinstance(calls, int):
        calls = (calls,)
    if isinstance(calls, tuple):
        if not calls or min(calls) < 1:
            raise ValueError("calls are counted from 1")
        return tuple((n, n) for n in calls)
    found: list[tuple[int, int | None]] = []
    for piece in calls.split(","):
        read = re.fullmatch(r"\s*([1-9]\d*)\s*(?:(-)\s*([1-9]\d*)?)?\s*", piece)
        if read is None:
            raise ValueError(f'cannot read calls {calls!r}: write "1-3", "4-", "2,5", [2, 5], 2 or "*"')
        first, dash, last = int(read[1]), read[2], read[3]
        found.append((first, int(last) if last else None if dash else first))
        if last and int(last) < first:
            raise ValueError(f"cannot read calls {calls!r}: {last} comes before {first}")
    return tuple(found)


def _covers(calls: str | int | tuple[int, ...], ordinal: int) -> bool:
    return any(first <= ordinal and (last is None or ordinal <= last) for first, last in spans(calls))


def _matches(match: Match, facts: Facts) -> bool:
    if match.op is not None and match.op != facts.op:
        return False
    if match.subscriber is not None and not _like(facts.subscriber, match.subscriber):
        return False
    return match.key is None or any(_like(key, match.key) for key in facts.keys)


def _like(value: str | None, pattern: str) -> bool:
    # Only `*` is special: a key may hold brackets and question marks of its own.
    return value is not None and fnmatchcase(value, re.sub(r"([?\[])", r"[\1]", pattern))
