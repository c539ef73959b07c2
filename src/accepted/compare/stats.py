"""From paired rounds to numbers: ratio, interval, p, scatter. Pure; the same values and seed give the same numbers.

The run is the unit, never the request: a run's thousand requests share its luck. What is compared is one number of
each run, with that of the other system's run in the same round.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9_999
EXACT = 2**16  # sign flips that are all tried; beyond 16 rounds so many are drawn


@dataclass(frozen=True)
class Paired:
    """What so many rounds say of `other` divided by `base`.

    ratio: geometric mean of the rounds' ratios, low and high its interval. p: two-sided, of the sign-flip test.
    cv: standard deviation of the ratios divided by their mean. above: rounds in which `other` was the larger.
    """

    rounds: int
    ratio: float
    low: float
    high: float
    p: float
    cv: float
    above: int


def pairs(base: Sequence[float | None], other: Sequence[float | None]) -> list[tuple[float, float]]:
    """The rounds in which both have a positive, finite value. Raises ValueError for lists of unlike length."""
    return [
        (a, b) for a, b in zip(base, other, strict=True)
        if a is not None and b is not None and 0 < a < math.inf and 0 < b < math.inf
    ]  # fmt: skip


def paired(both: Sequence[tuple[float, float]], seed: int = 0) -> Paired:
    """The numbers of at least one pair, each value above zero. Raises ValueError for none."""
    if not both:
        raise ValueError("no round has a value for both systems")
    logs = numpy.log([b / a for a, b in both])
    low, high = _interval(logs, seed)
    ratios = numpy.exp(logs)
    return Paired(
        len(both), float(numpy.exp(logs.mean())), low, high, sign_flip(logs.tolist(), seed),
        cv(ratios.tolist()), sum(b > a for a, b in both),
    )  # fmt: skip


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of paired differences: how often flipping their signs gives a mean at least so far from zero.

    Exact up to 16 differences, where the least it can be is 2 / 2^n; above, of 2^16 random flips.
    """
    if not any(differences):
        return 1.0
    if len(differences) == 1:
        return 1.0  # one of two flips is as it was, the other as far on the other side
    found = stats.permutation_test(
        (numpy.asarray(differences),), numpy.mean, permutation_type="samples", n_resamples=EXACT, vectorized=True,
        rng=numpy.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def cv(values: Sequence[float]) -> float:
    """Coefficient of variation: sample standard deviation by mean. 0 for a single value."""
    if len(values) < 2:
        return 0.0
    return float(numpy.std(values, ddof=1) / numpy.mean(values))


def holm(ps: Sequence[float]) -> list[float]:
    """Each p as it counts when all of them were looked at together: Holm's step-down, in the order given."""
    order = sorted(range(len(ps)), key=lambda n: ps[n])
    found, worst = [0.0] * len(ps), 0.0
    for rank, n in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[n]))
        found[n] = worst
    return found


def _interval(logs: "numpy.typing.NDArray[numpy.float64]", seed: int) -> tuple[float, float]:
    """Bootstrap (BCa) interval of the geometric mean ratio; the point itself where the rounds do not differ."""
    if len(logs) < 2 or numpy.ptp(logs) < 1e-12:
        return float(numpy.exp(logs.min())), float(numpy.exp(logs.max()))
    found = stats.bootstrap(
        (logs,), numpy.mean, confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="BCa", vectorized=True,
        rng=numpy.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return float(numpy.exp(found.low)), float(numpy.exp(found.high))
