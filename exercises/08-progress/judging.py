"""What was heard and seen, held against what may be. No input, no output."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from listening import OVER, Event

FOLLOWS = {
    "queued": {"queued", "running", "failed", "cancelled"},
    "running": {"running", "queued", "retrying", "succeeded", "failed"},
    "retrying": {"retrying", "queued", "running", "failed", "cancelled"},
}


def to_the_end(events: Sequence[Event]) -> list[Event]:
    """Up to the first event that ends the job."""
    for number, event in enumerate(events, 1):
        if event.seen[0] in OVER:
            return list(events[:number])
    return list(events)


def backward(states: Iterable[str]) -> tuple[int, str]:
    """The place of the first state that can't follow the one before, and how to say so; (-1, "") where all can."""
    for number, (one, other) in enumerate(pairwise(states), 1):
        if one != other and other not in FOLLOWS.get(one, set()):
            return number, f"{other} after {one}"
    return -1, ""


def falls(percents: Iterable[int]) -> tuple[int, str]:
    """The place of the first percent that is lower than the one before; (-1, "") where none is."""
    for number, (one, other) in enumerate(pairwise(percents), 1):
        if other < one:
            return number, f"{other} % after {one} %"
    return -1, ""


def gap_or_repeat(heard: Sequence[int], wanted: Sequence[int]) -> str:
    """The first difference between the numbers that were heard and those that there are."""
    for place, number in enumerate(wanted):
        if place >= len(heard):
            return f"event {number} is missing"
        if heard[place] != number:
            again = heard[place] in heard[:place]
            return f"event {heard[place]} {'again' if again else f'where event {number} was to come'}"
    return f"event {heard[len(wanted)]} again" if len(heard) > len(wanted) else ""


def lost_or_twice(heard: Sequence[tuple[str, int]], wanted: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], str]:
    """The first event that did not come, or came twice, and which of the two; empty where all came once."""
    for key in wanted:
        if (times := heard.count(key)) != 1:
            return key, "never came" if not times else f"came {times} times"
    return ("", 0), ""


def too_quiet(times: Sequence[float], comments: int, most: float) -> bool:
    """Whether a stream was silent longer than it may, of the times (s, in order) in which nothing came on it.

    Once it may be: a machine that stalls for long does so once. And where never two seconds passed without an event,
    nothing had to be said.
    """
    longest, second = times[-1], times[-2] if len(times) > 1 else 0.0
    usual = sum(times) / len(times)
    return (not comments and longest > 2) or second > most or longest > 3 * most or usual > most / 2
