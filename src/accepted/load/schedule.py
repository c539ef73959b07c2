"""When what arrives: computed before the run, from the seed alone. Pure."""

import math
from dataclasses import dataclass
from random import Random

from accepted.load.scenario import Phase, Scenario, Work


@dataclass(frozen=True)
class Arrival:
    """The n-th, `at` seconds from the run's zero."""

    n: int
    at: float
    phase: str
    work: Work


def arrivals(scenario: Scenario, seed: int | None = None) -> list[Arrival]:
    """In order of time. The same scenario and seed give the same arrivals, to the last digit.

    Times and kinds are drawn from two sources: another mix keeps the times, so that two runs can be compared.
    """
    number = scenario.seed if seed is None else seed
    times, kinds = Random(f"{number} times"), Random(f"{number} kinds")
    found: list[Arrival] = []
    for start, phase in zip(scenario.starts(), scenario.phases, strict=True):
        mix = [each for each in scenario.work if not each.only or phase.name in each.only]
        weights = [each.share for each in mix]
        for at in _times(phase, scenario.arrivals, times):
            found.append(Arrival(len(found), start + at, phase.name, kinds.choices(mix, weights)[0]))
    return found


def _times(phase: Phase, arrivals: str, random: Random) -> list[float]:
    """Moments from 0 to the phase's length.

    In a stream of one arrival a second on average, evenly spaced or not, the n-th comes when so many are expected; in
    the phase it comes when its rates up to then add up to as many.
    """
    if phase.moments is not None:
        return list(phase.moments)
    last = phase.rate if phase.to is None else phase.to
    whole = phase.seconds * (phase.rate + last) / 2
    if whole <= 0:
        return []
    found, due = [], 0.0 if arrivals == "constant" else random.expovariate(1)
    while due < whole - 1e-9:
        found.append(_when(due, phase.rate, (last - phase.rate) / phase.seconds))
        due += 1.0 if arrivals == "constant" else random.expovariate(1)
    return found


def _when(expected: float, rate: float, rise: float) -> float:
    """Seconds until `expected` have come, at a rate that begins at `rate` and rises by `rise` each second."""
    if abs(rise) < 1e-12:
        return expected / rate
    return (math.sqrt(rate * rate + 2 * rise * expected) - rate) / rise
