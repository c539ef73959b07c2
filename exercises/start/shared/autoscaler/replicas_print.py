"""Workers that nobody starts: the log tells what would have been done. To see what the law does before it may."""

from collections.abc import Mapping


class PrintOnly:
    """Counts."""

    def __init__(self, pool: str) -> None:
        self._count = 0

    def take_over(self) -> None:
        pass

    def working(self) -> int:
        return self._count

    def leaving(self) -> int:
        return 0

    def start(self, count: int) -> int:
        self._count += count
        return count

    def drain(self, count: int, busy: Mapping[str, int]) -> None:
        self._count -= count

    def close(self, seconds: float) -> None:
        self._count = 0
