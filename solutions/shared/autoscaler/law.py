"""How many replicas a pool should have now. No clock, no server, no chance: the same input, the same answer.

Up at once, to what is needed: each second of delay is a second longer in the queue. Down one at a time, and only after
fewer would have been enough for a whole cool-down: a worker too many costs little, one too few costs the objective.
"""

from dataclasses import replace
from math import ceil

from .core import Decision, History, Limits, Signals

LEAST_PATIENCE = 0.25  # of the age: a backlog that is late already is not made up for in no time, by infinitely many
HEADROOM = 0.8  # one goes if the others would be busy for no more than this share of their time: the hysteresis
_HAIR = 1e-9  # what arithmetic adds to a whole number


def wanted(
    seen: Signals | None, replicas: int, now: float, limits: Limits, history: History
) -> tuple[Decision, History]:
    """`seen`: None where nothing could be seen. `replicas`: those that work or start; who was told to go is none.

    `now` is any clock that doesn't jump; `history` is what the last call returned, at first `History()`.
    """
    if seen is None:
        # Nobody knows whether there is work. Who can't see does not walk; and what it saw before is no proof later.
        return Decision(_within(replicas, limits), "blind, so nothing changes"), replace(history, peaks=(), since=None)
    slots = needed(seen, limits)
    since = now if history.since is None else history.since
    peaks = (*(one for one in history.peaks if now - one[0] <= limits.cooldown), (now, slots))
    history = replace(history, peaks=peaks, since=since)
    why = (
        f"{seen.waiting} waiting, the oldest for {seen.oldest:.1f} s, {seen.running} at work, {seen.service:.2f} s each"
        f": {slots:.1f} slots"
    )

    if replicas > limits.cap:
        return Decision(limits.cap, f"over the cap; {why}"), replace(history, down=now)
    up = _within(ceil(slots / limits.slots - _HAIR), limits)
    if up > replicas:
        at = " (the cap)" if up == limits.cap else ""
        return Decision(up, f"up{at}: {why}"), replace(history, up=now)

    peak = max(slots for _, slots in peaks)
    down = _within(ceil(peak / (limits.slots * HEADROOM) - _HAIR), limits)
    if down >= replicas:
        return Decision(replicas, f"enough: {why}"), history
    if now - max(since, history.up if history.up is not None else since) < limits.cooldown:
        return Decision(replicas, f"cooling down: {why}"), history
    if history.down is not None and now - history.down < limits.step:
        return Decision(replicas, f"one at a time: {why}"), history
    return Decision(replicas - 1, f"down: {why}, {peak:.1f} at most of late"), replace(history, down=now)


def needed(seen: Signals, limits: Limits) -> float:
    """Slots. Never less with more waiting, with an older job, with more at work, or with longer jobs.

    What is at work needs the slot that it has. In a steady state that is already the load (arrivals × service time:
    Little's law), so only what waits comes on top: as many slots as end it in the time that is left to the oldest.
    """
    patience = max(limits.age - seen.oldest, limits.age * LEAST_PATIENCE)
    return seen.running + min(seen.waiting, seen.waiting * seen.service / patience)


def _within(replicas: int, limits: Limits) -> int:
    return max(limits.floor, min(limits.cap, replicas))
