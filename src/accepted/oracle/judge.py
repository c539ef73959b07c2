"""The verdict: pure. What is certain at any time is always told; what is missing only counts after a true drain."""

from collections.abc import Iterator
from itertools import pairwise

from accepted.oracle import effects, order, states
from accepted.oracle.history import TERMINAL, History
from accepted.oracle.verdict import Finding, Verdict


def judge(history: History) -> Verdict:
    """Whether every key that was asked for had its one effect, in order, by legal steps."""
    certain = [
        *(Finding("refused", what, "it was not accepted") for what in history.refused),
        *effects.duplicates(history),
        *effects.phantoms(history),
        *order.payouts(history),
        *order.webhooks(history),
        *states.illegal(history),
        *states.stale(history),
    ]
    if not history.drained:
        stuck = list(_stuck(history))
        unknown = "not drained within the deadline"
        return Verdict(tuple(certain + stuck), unknown)
    undrained = [job for job in history.jobs if job.state not in TERMINAL]
    if undrained:
        return Verdict(tuple(certain), f"called drained, yet {undrained[0].key} is {undrained[0].state}")
    return Verdict((*certain, *effects.lost(history)))


def _stuck(history: History) -> Iterator[Finding]:
    for job in history.jobs:
        if job.state in TERMINAL:
            continue
        events = history.of(job.id)
        quiet = history.ended - events[-1].at if events else history.patience
        if quiet >= history.patience:
            yield Finding("stuck", job.key, f"{job.state}, and nothing has moved it for {quiet:.0f} s")
        elif (turns := sum(a.state == "running" and b.state == "queued" for a, b in pairwise(events))) > CIRCLES:
            yield Finding("stuck", job.key, f"it lost its worker {turns} times, and goes on in circles")


CIRCLES = 6  # times that a job may lose its worker and still be on its way
