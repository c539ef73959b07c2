"""A queue as a fluid: what arrives is poured in, a constant capacity drains it. Pure."""

import math
from collections.abc import Iterable, Sequence

Series = list[tuple[float, float]]
FINE = 10  # steps within a second
LONGEST = 3600  # s: a basin that has not run empty by then never will


def backlog(arrivals: Sequence[float], capacity: float, start: int = 0, level: float = 0.0) -> Series:
    """(second, jobs in the system) from `start` until it is empty and nothing comes any more. `arrivals`: how many came
    in each second of the run; `capacity` in jobs/s, above zero; `level`: what was there at `start`."""
    found: Series = [(float(start), level)]
    second = start
    while second < len(arrivals) or (level > 0 and second < start + LONGEST):
        coming = arrivals[second] if second < len(arrivals) else 0.0
        for n in range(FINE):
            level = max(0.0, level + (coming - capacity) / FINE)
            found.append((second + (n + 1) / FINE, level))
        second += 1
    return found


def emptied(series: Iterable[tuple[float, float]], after: float, share: float = 0.02) -> float:
    """Seconds from `after` until no more than `share` of what was there then is left for the first time; infinity where
    the series ends before."""
    rest = [(at, level) for at, level in series if at >= after]
    if not rest:
        return math.inf
    least = share * rest[0][1]
    return next((at - after for at, level in rest if level <= least), math.inf)
