"""How long what is due waits for a worker, told by webhooks that nobody refuses.

A wait in the ledger is the wait that was drawn and the time until a worker was free. Probes tell the one from the
other, whatever the tree draws: another tenant's invoice changes, and its only subscriber hears of it, through the same
relay, queues and workers.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mails import accepted, invoices, timeline

from accepted.grade.stage import OTHER, Stage
from accepted.grade.verdict import Broken

EVERY, LATER = 1.0, 4.0  # s between two: at first, and on a machine that is slow
FIRST, MOST = 20, 30
IN_LINE = """SELECT coalesce(json_agg(json_build_array(attempt, extract(epoch FROM began - at))), '[]') FROM (
    SELECT at, state, lag(state) OVER way AS before, lead(state) OVER way AS after, lead(at) OVER way AS began,
        count(*) FILTER (WHERE state = 'retrying') OVER way AS attempt
    FROM job_events WINDOW way AS (PARTITION BY job_id ORDER BY seq)) AS events
    WHERE state = 'queued' AND before = 'retrying' AND after = 'running'"""
KEY = re.compile(rf"{OTHER}:webhook:[^:]+:(\d+):.*")


@dataclass(frozen=True)
class Lag:
    """`at`: when it was asked for, seconds since the epoch; `seconds` until its call."""

    at: float
    seconds: float


@dataclass
class Probes:
    """`left`: invoices to change; `asked`: when each was."""

    left: list[int]
    asked: dict[int, float] = field(default_factory=dict)

    def send(self, stage: Stage) -> None:
        """One more, where it is time for it."""
        pause = EVERY if len(self.asked) < FIRST else LATER
        if not self.left or time.time() < max(self.asked.values(), default=0.0) + pause:
            return
        invoice = self.left.pop()
        answer = stage.asked("PUT", f"/v1/invoices/{invoice}", {"status": "open"}, tenant=OTHER, seconds=30)
        accepted(answer)
        self.asked[invoice] = answer.at

    def lags(self, calls: Sequence[Mapping[str, Any]], now: float) -> list[Lag]:
        """In the order of asking; what was not called for yet is so late `now`. Raises Broken where a call can't be
        told by its key."""
        came = {}
        for call in reversed(calls):
            if not (key := KEY.fullmatch(str(call["key"]))):
                raise Broken(
                    stimulus=f"an invoice of {OTHER} changed, and its subscriber was called",
                    rule="Partners are asked under the job's natural key: exercise 3 comes before this one.",
                    difference=f"expected {OTHER}:webhook:SUBSCRIBER:INVOICE:…, found {call['key']}",
                    evidence=timeline([call]), look="make exercise-3; what a webhook's key is made of",
                    costs="Nobody who reads the ledger can tell a second try from a second order.",
                )  # fmt: skip
            came[int(key[1])] = call["at"]
        return [Lag(at, came.get(invoice, now) - at) for invoice, at in self.asked.items()]


def probes(stage: Stage) -> Probes:
    """With one subscriber to hear of them."""
    stage.value("UPDATE subscribers SET active = id IN (SELECT min(id) FROM subscribers WHERE tenant_id = %s)"
                " WHERE tenant_id = %s RETURNING 1", OTHER, OTHER)  # fmt: skip
    return Probes(invoices(stage, MOST, OTHER))


def in_line(stage: Stage) -> dict[int, list[float]]:
    """Seconds that retries lay in their queue once their wait was over, by the attempt that they followed, as the
    tree's own events tell it. A herd that comes back at once does this between two probes, where a machine is slow."""
    found: dict[int, list[float]] = {}
    for attempt, seconds in stage.value(IN_LINE):
        found.setdefault(attempt, []).append(seconds)
    return found
