"""The word for each metric, from its numbers. Pure; docs/compare.md says how each is decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from accepted.compare.stats import Paired, holm, paired, pairs

FEWEST = 8  # paired rounds
SAME = 0.05  # a smaller difference is none
SCATTER = 0.1  # CV of the rounds' ratios above which a word needs an interval clear of SAME
ALPHA = 0.05
BOUND = 0.25  # share of runs that the generator or the broker held back

Direction = Literal["lower", "higher"]
Word = Literal["better", "worse", "indistinguishable", "erratic", "generator-bound", "broker-bound", "too few rounds"]
OPPOSITE: Mapping[Word, Word] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Series:
    """One metric of one system, round by round. None: the run gave no number, or is not worth one.

    generator, broker: the share of its runs (0 to 1) that were held back by the one or the other.
    """

    values: Sequence[float | None]
    generator: float = 0.0
    broker: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """`other` seen from `base`. p is adjusted for all pairs of the metric; numbers is None where no round has both."""

    base: str
    other: str
    word: Word
    why: str
    p: float
    numbers: Paired | None

    def as_dict(self) -> dict[str, Any]:
        one = self.numbers
        numbers = {"rounds": 0} if one is None else {
            "rounds": one.rounds, "ratio": round(one.ratio, 4), "low": round(one.low, 4), "high": round(one.high, 4),
            "cv": round(one.cv, 4), "above": one.above,
        }  # fmt: skip
        return {"base": self.base, "other": self.other, "word": self.word, "why": self.why, "p": round(self.p, 5),
                **numbers}  # fmt: skip


def fewest(systems: int) -> int:
    """Rounds below which nothing is said: FEWEST, or more where so many pairs could never come under ALPHA."""
    together = systems * (systems - 1) // 2
    needed = FEWEST
    while together * 2 / 2**needed >= ALPHA:
        needed += 1
    return needed


def compare(found: Mapping[str, Series], better: Direction, seed: int = 0) -> list[Comparison]:
    """Every pair of systems, in the order given: the first is the base of all later ones."""
    both = list(combinations(found, 2))
    numbers = [_numbers(found[base], found[other], seed) for base, other in both]
    adjusted = holm([1.0 if one is None else one.p for one in numbers])
    least = fewest(len(found))
    made = []
    for (base, other), one, p in zip(both, numbers, adjusted, strict=True):
        word, why = decide(one, p, better, least, held_back(found[base], found[other]))
        made.append(Comparison(base, other, word, why, p, one))
    return made


def decide(
    one: Paired | None, p: float, better: Direction, least: int = FEWEST, held: tuple[Word, str] | None = None
) -> tuple[Word, str]:
    """The word, and the reason in one clause."""
    rounds = 0 if one is None else one.rounds
    if held and held[0] == "generator-bound":
        return held
    if one is None or rounds < least:
        return "too few rounds", f"{rounds} paired rounds, and {least} are the least"
    if held:
        return held
    clear = one.low > 1 + SAME or one.high < 1 - SAME
    if one.cv > SCATTER and not clear:
        return "erratic", f"the ratio scatters by {one.cv:.0%} from round to round (CV), {SCATTER:.0%} is the most"
    change = abs(one.ratio - 1)
    if change < SAME:
        return "indistinguishable", f"{change:.1%} apart, and less than {SAME:.0%} is no difference"
    if p >= ALPHA or one.low <= 1 <= one.high:
        return "indistinguishable", f"{change:.1%} apart, and chance does as much (p = {p:.2g})"
    good = (one.ratio < 1) == (better == "lower")
    return ("better" if good else "worse"), f"{change:.1%} apart in {rounds} paired rounds (p = {p:.2g})"


def held_back(*all_of: Series) -> tuple[Word, str] | None:
    """Where the number is not the system's: too many runs in which the generator or the broker was at its end."""
    for which in ("generator", "broker"):
        worst: float = max(getattr(each, which) for each in all_of)
        if worst > BOUND:
            word: Word = "generator-bound" if which == "generator" else "broker-bound"
            return word, f"the {which} was at its end in {worst:.0%} of the runs, {BOUND:.0%} is the most"
    return None


def winner(found: Iterable[Comparison]) -> str | None:
    """The system that is better than every other one, if there is one."""
    wins: dict[str, int] = {}
    names: set[str] = set()
    for one in found:
        names |= {one.base, one.other}
        if one.word in OPPOSITE:
            ahead = one.other if one.word == "better" else one.base
            wins[ahead] = wins.get(ahead, 0) + 1
    return next((name for name, count in wins.items() if count == len(names) - 1), None)


def stable(winners: Sequence[str | None]) -> str | None:
    """The winner at every load of a sweep of at least two; None where any load has another one, or none."""
    return winners[0] if len(winners) > 1 and len(set(winners)) == 1 else None


def _numbers(base: Series, other: Series, seed: int) -> Paired | None:
    both = pairs(base.values, other.values)
    return paired(both, seed) if both else None
