"""When what arrives: computed before the run, from the seed alone. Pure."""

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
    """Moments from 0 to the phase's length."""
    if phase.rate <= 0:
        return []
    if arrivals == "constant":
        return [n / phase.rate for n in range(int(phase.seconds * phase.rate))]
    found, at = [], random.expovariate(phase.rate)
    while at < phase.seconds:
        found.append(at)
        at += random.expovariate(phase.rate)
    return found
