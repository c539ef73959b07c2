"""How many calls of each operation are inside the partner now, and were at most at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Gauge:
    def __init__(self) -> None:
        self.in_flight: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()

    @contextmanager
    def inside(self, op: str) -> Iterator[None]:
        self.in_flight[op] += 1
        self.peak[op] = max(self.peak[op], self.in_flight[op])
        try:
            yield
        finally:
            self.in_flight[op] -= 1

    def forget_peak(self) -> None:
        """Begin a new measurement: the peak is what is inside right now."""
        self.peak = Counter(self.in_flight)
