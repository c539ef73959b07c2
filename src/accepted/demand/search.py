"""The least number that holds, by bisection. Pure: whether one holds is asked of the caller."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class Demand:
    """least: the fewest workers that hold the load; None where not even `most` do. breaks: the most of those that
    were seen not to hold it; None where the fewest that may be tried held it."""

    load: float  # arrivals a second
    least: int | None
    breaks: int | None


def least(load: float, fewest: int, most: int, holds: Callable[[int], bool]) -> Demand:
    """Between `fewest` and `most`. Takes it that more workers hold whatever fewer do; each number is asked once.

    The answer has been seen to hold, and the one below it, where that may be tried, to break.
    """
    breaks: int | None = None
    if not holds(most):
        return Demand(load, None, most)
    low, high = fewest, most
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low, breaks = middle + 1, middle
    return Demand(load, high, breaks)


def curve(loads: list[float], most: int, holds: Callable[[float, int], bool]) -> list[Demand]:
    """Demand at each load, in rising order. A load needs no fewer workers than a lower one did: what that one broke
    with is not tried again. Where a load is beyond `most`, so are all above it, and they are not tried."""
    found: list[Demand] = []
    fewest = 1
    for load in sorted(loads):
        if found and found[-1].least is None:
            found.append(Demand(load, None, None))
            continue
        each = least(load, fewest, most, partial(holds, load))
        fewest = each.least or fewest
        found.append(each)
    return found
