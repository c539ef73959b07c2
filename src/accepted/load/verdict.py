"""What a run comes to: held, broken, a promise broken, or worth nothing. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accepted.load.account import Account
from accepted.load.figures import Figures
from accepted.load.slo import GUARANTEES, Objective, Outcome, at_quantile, judge, shown, tightest

HELD, BROKEN, UNKEPT, INVALID = 0, 99, 97, 98
LEAST_LAG = 0.025  # s: finer than this no load generator of ours is held to
SATURATED = 0.9  # of a core, in the busiest half second
WORDS = {HELD: "held", BROKEN: "an SLO is broken", UNKEPT: "a job was lost or doubled", INVALID: "invalid"}


@dataclass(frozen=True)
class Conduct:
    """How the measuring itself went. `lags` in seconds; `busiest` share of a core; `odd`: what was not as it
    should have been, a sentence each; `failed_self_test`: what it missed."""

    lags: Sequence[float] = ()
    dropped: int = 0
    busiest: float = 0.0
    died: str | None = None
    odd: Sequence[str] = ()
    failed_self_test: Sequence[str] = ()
    clients: int | None = None  # in closed loop, so many


@dataclass
class Verdict:
    outcomes: list[Outcome] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        if self.invalid:
            return INVALID
        broken = [one for one in self.outcomes if not one.held]
        if any(one.objective.metric in GUARANTEES for one in broken):
            return UNKEPT
        return BROKEN if broken else HELD

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": "verdict/v1", "code": self.code, "verdict": WORDS[self.code], "invalid": self.invalid,
            "objectives": [
                {
                    "metric": one.objective.metric, "phase": one.objective.phase, "kind": one.objective.kind,
                    "op": one.objective.op, "value": one.objective.value, "target": one.objective.target,
                    "found": None if one.found is None or math.isinf(one.found) else round(one.found, 6),
                    "never_ended": one.found is not None and math.isinf(one.found),
                    "occurrences": one.occurrences, "held": one.held,
                }
                for one in self.outcomes
            ],
        }  # fmt: skip


def allowed_lag(objectives: Sequence[Objective]) -> float:
    """5 % of the tightest time of the SLO, or LEAST_LAG, whichever is more."""
    return max(LEAST_LAG, 0.05 * tightest(objectives))


def invalid(conduct: Conduct, objectives: Sequence[Objective]) -> list[str]:
    """Why nothing may be concluded from the run; empty where it may."""
    why = [f"the self-test failed: {each}" for each in conduct.failed_self_test]
    why += conduct.odd
    if conduct.clients:
        why.append(f"it ran in closed loop: what would have come while {conduct.clients} clients waited is missing")
    if conduct.died:
        why.append(f"the load generator was lost: {conduct.died}")
    if conduct.dropped:
        why.append(f"{conduct.dropped} arrivals were due and not sent")
    lag, most = at_quantile(conduct.lags, 0.99, "lte"), allowed_lag(objectives)
    if lag is None:
        why.append("no request was sent")
    elif lag > most:
        why.append(f"the generator lagged by {shown(lag, 's')} (p99), and {shown(most, 's')} is the most")
    if conduct.busiest > SATURATED:
        why.append(f"the generator took {conduct.busiest:.0%} of a core")
    return why


def reach(conduct: Conduct, objectives: Sequence[Objective], figures: Figures) -> Verdict:
    """Every objective judged, and whether the judgement is worth anything."""
    outcomes = [judge(each, figures.values(each.metric, each.phase, each.kind)) for each in objectives]
    return Verdict(outcomes, invalid(conduct, objectives))


def broken_promises(found: Account) -> Mapping[str, list[str]]:
    """The keys behind the counts, for people; only where there are any."""
    return {name: keys for name in (*GUARANTEES, "stuck") if (keys := getattr(found, name))}
