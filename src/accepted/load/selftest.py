"""Before a run may count: the harness meets a server whose faults are known, and must report each of them.

The very generator, account and figures that judge a run look at a stall of two seconds, three losses and two doubles.
At a constant rate the accept times around a stall can be worked out on paper: whoever should have left x before its
end waits x. So p50, p99 and the longest are known, and a harness that omits the waiting ones is found out.
"""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from accepted.load.account import Account, account
from accepted.load.aside import serving
from accepted.load.driving import Generator
from accepted.load.plan import Objects, Planned, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.seen import Seen
from accepted.load.slo import at_quantile, shown
from accepted.stack.errors import Problem

RATE, BEFORE, STALL, AFTER = 50.0, 0.6, 2.0, 0.9  # arrivals/s, then seconds
LOSING, DOUBLING = (20, 60, 100), (40, 80)
PLANTED = f"self-test: a stall of {STALL:g} s, {len(LOSING)} losses and {len(DOUBLING)} doubles are planted …"
TOLERANCE = 0.02  # of the value
SLACK = 0.06  # s: what an answer takes when a hundred come at once


@dataclass(frozen=True)
class Found:
    """What the harness saw of the planted server. `own_p95`: Locust's own figure, from the moment of sending;
    `closed_p95`: what one client in closed loop would have reported (s)."""

    account: Account
    missed: Sequence[str]
    own_p95: float
    closed_p95: float


def self_test(losing: Sequence[int] = LOSING, doubling: Sequence[int] = DOUBLING, stall: float = STALL) -> Found:
    """Runs it (about five seconds). The arguments are what is really planted; what is looked for never changes."""
    whole = BEFORE + STALL + AFTER
    scenario = Scenario("self-test", "", (Work("payout.send", 1),), (Phase("steady", whole, RATE),),
                        arrivals="constant", patience=10)  # fmt: skip
    requests = plan(arrivals(scenario), {"acme": Objects("token", [], [1])}, "self")
    with serving("planted") as host, tempfile.TemporaryDirectory(prefix="accepted-") as folder:
        return _meet(host, Path(folder), requests, losing, doubling, stall)


def _meet(
    host: str, folder: Path, requests: Sequence[Planned], losing: Sequence[int], doubling: Sequence[int], stall: float
) -> Found:
    with Generator(folder, host, requests, 10) as generator, httpx.Client(base_url=host, trust_env=False) as http:
        zero = time.time() + 0.5
        begins = zero + BEFORE
        wanted = {"stall": [begins, begins + stall], "losing": list(losing), "doubling": list(doubling)}
        http.put("/plan", json=wanted).raise_for_status()
        generator.go(zero)
        if not generator.listen(30):
            raise Problem("the self-test did not end", "the generator was not done after 30 s", "Let the machine rest.")
        truth = http.get("/truth").raise_for_status().json()
        lines, own = generator.lines(), generator.told["locust"]
    seen = [Seen(**each) for each in truth["jobs"]]
    found = account(zero, requests, lines, seen, {("charge", key): n for key, n in truth["effects"].items()})
    unfair = [line["t_acc"] - line["t_send"] for line in _closed_loop(lines)]
    return Found(found, missed(found), own["p95_ms"] / 1000, at_quantile(unfair, 0.95, "lte") or 0.0)


def _closed_loop(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What one client would have seen that sends only when it has been answered: the others never leave."""
    kept: list[Mapping[str, Any]] = []
    free = 0.0
    for line in sorted((one for one in lines if "t_acc" in one), key=lambda one: one["n"]):
        if line["t_send"] >= free:
            kept.append(line)
            free = line["t_acc"]
    return kept


def on_paper() -> list[float]:
    """The accept time of each arrival, if a request itself took no time."""
    due = [n / RATE for n in range(int(RATE * (BEFORE + STALL + AFTER)))]
    return [max(0.0, BEFORE + STALL - at) if at >= BEFORE else 0.0 for at in due]


def missed(found: Account) -> list[str]:
    """What was planted and is not in the account, or not as it was planted; empty where all was found."""
    wrong = []
    for name, wanted in (("lost", len(LOSING)), ("duplicated", len(DOUBLING)), ("phantom", 0)):
        if len(getattr(found, name)) != wanted:
            wrong.append(f"{wanted} jobs were {name}, and {len(getattr(found, name))} reported")
    took = [row.took("accept") or 0.0 for row in found.rows]
    for quantile, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "longest")):
        paper, seen = at_quantile(on_paper(), quantile, "lte") or 0.0, at_quantile(took, quantile, "lte") or 0.0
        if math.isinf(seen) or not -TOLERANCE * paper <= seen - paper <= TOLERANCE * paper + SLACK:
            wrong.append(
                f"the {name} accept time is {shown(paper, 's')} on paper, and was reported as {shown(seen, 's')}"
            )
    return wrong
