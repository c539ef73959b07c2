"""Which run comes when: rounds, and in each every system once, in an order drawn from the seed. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

from accepted.compare.systems import System
from accepted.load import journal
from accepted.load.scenario import Scenario

Parts = Literal["both", "load", "layer"]


@dataclass(frozen=True)
class Plan:
    """`parts`: the load run, the bare library's layer after it, or both. Rounds may be added later: what was run
    stays."""

    systems: tuple[System, ...]
    scenario: Scenario
    rounds: int
    seed: int
    parts: Parts

    @property
    def fingerprint(self) -> str:
        """Of everything but the number of rounds: two plans with the same one are one comparison."""
        return journal.fingerprint(asdict(self), but="rounds")

    def order(self, number: int) -> list[System]:
        """The systems of round `number` (from 1)."""
        found = list(self.systems)
        Random(f"{self.seed} round {number}").shuffle(found)
        return found

    def arrivals_seed(self, number: int) -> int:
        """Every system of a round gets the same arrivals, every round others: no schedule is anyone's luck."""
        return self.scenario.seed + number

    def left(self, done: Collection[tuple[int, str]]) -> list[tuple[int, System]]:
        """The runs still to do, in their order, without those that are `done` (round, system's name)."""
        every = [(number, system) for number in range(1, self.rounds + 1) for system in self.order(number)]
        return [each for each in every if (each[0], each[1].name) not in done]

    def as_dict(self) -> dict[str, Any]:
        return {"schema": "comparison-plan/v1", "fingerprint": self.fingerprint, **asdict(self)}


def time_left(took: Sequence[float], left: int, first_guess: float) -> float:
    """Seconds that `left` runs will take, by the mean of those that were."""
    return left * (sum(took) / len(took) if took else first_guess)


def clock(seconds: float) -> str:
    """`3 min 05 s`."""
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
