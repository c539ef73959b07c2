"""What every bench is given, and how its two sides take turns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

S = TypeVar("S")
B = TypeVar("B")


@dataclass(frozen=True)
class Room:
    """`say` shows progress. `quick` asks for a tenth of the work: it shows that a bench runs, and proves nothing."""

    tree: Path
    backend: str
    rounds: int
    quick: bool
    say: Callable[[str], None]

    def scaled(self, full: int, quick: int) -> int:
        return quick if self.quick else full


def paired(rounds: int, system: Callable[[int], S], baseline: Callable[[int], B]) -> list[tuple[S, B]]:
    """Both sides in every round, the order turned around from round to round: neither always comes second.

    Each is called with the number of the round, from 1.
    """
    pairs = []
    for number in range(1, rounds + 1):
        if number % 2:
            one = system(number)
            other = baseline(number)
        else:
            other = baseline(number)
            one = system(number)
        pairs.append((one, other))
    return pairs
