"""Loads for a queue that is only reckoned: (when a job comes, seconds that it takes), in order of time."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

Jobs = list[tuple[float, float]]


def arrivals(rate: Callable[[float], float], seconds: float, service: float, rng: Random, most: float) -> Jobs:
    """A Poisson process whose rate (jobs/s) changes with time, `most` at the most; times of service are exponential
    around 0.8 of the mean, with 0.2 of it in any case: few are very quick, some are very long."""
    found: Jobs = []
    at = 0.0
    while (at := at + rng.expovariate(most)) < seconds:
        if rng.random() * most < rate(at):
            found.append((at, service * (0.2 + rng.expovariate(1 / 0.8))))
    return found


def wave(mean: float, swing: float, period: float) -> Callable[[float], float]:
    """A rate that swings around its mean by so much."""
    return lambda at: mean + swing * math.sin(2 * math.pi * at / period)


def times(jobs: Iterable[tuple[float, float]], load: int, rng: Random) -> Iterator[tuple[float, float]]:
    """The same trace with so many times the jobs: each comes with others like it, spread over the gap to the next."""
    every: Sequence[tuple[float, float]] = list(jobs)
    for n, (at, seconds) in enumerate(every):
        gap = every[n + 1][0] - at if n + 1 < len(every) else 0.1
        yield from sorted((at + rng.random() * gap, seconds) for _ in range(load))
