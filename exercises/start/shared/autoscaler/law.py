"""How many workers a pool has: as many as there have always been."""

from .core import Decision, History, Limits, Signals


def wanted(
    seen: Signals | None, replicas: int, now: float, limits: Limits, history: History
) -> tuple[Decision, History]:
    """`seen`: None where nothing could be seen. `replicas`: those that work or start; who was told to go is none.

    `now` is any clock that doesn't jump; `history` is what the last call returned, at first `History()`.
    """
    return Decision(limits.floor, "a fixed number of workers"), history
