"""Does a process grow? The slope of its memory over time, by Theil and Sen: the median of the slopes of all pairs.

A process that fills a cache and then stays, or takes a page now and then, has a slope of about nothing; a straight line
fitted by squares would be bent by either. What is judged is the slope's lower bound, so that noise is no leak. Pure.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

MOST = 200  # points that a slope is of: their pairs are 20,000
LEAST = 10
Z = 1.645  # the lower bound is below the true slope in 19 of 20 cases


def growth(samples: Iterable[Mapping[str, Any]], begins: float, ends: float) -> dict[str, float]:
    """For each process the MiB a minute by which it surely grew between two moments (seconds; 0: it did not).

    `samples`: with `at` in seconds and `memory`, the MiB of each process. One that was seen too seldom is left out.
    """
    seen: dict[str, list[tuple[float, float]]] = {}
    for one in samples:
        if begins <= one["at"] <= ends:
            for name, mib in one.get("memory", {}).items():
                seen.setdefault(name, []).append((one["at"], mib))
    return {name: max(0.0, 60 * least_slope(points)) for name, points in seen.items() if len(points) >= LEAST}


def least_slope(points: Sequence[tuple[float, float]]) -> float:
    """The lower bound of the slope, in units of y for one of x. Needs two different x."""
    every = math.ceil(len(points) / MOST)
    kept = points[::every]
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(kept, 2) if x2 > x1)
    n = len(kept)
    spread = Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)  # of Kendall's S, were there no slope at all
    return slopes[max(0, math.floor((len(slopes) - spread) / 2))]
