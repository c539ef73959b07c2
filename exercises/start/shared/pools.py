"""Which queues the workers of a pool listen on, and how many there are. Everyone does everything."""

from billing.settings import settings

from .backend import broker


def queues_for(pool: str) -> list[str]:
    """The queues that a pool's workers listen on, quick concerns first."""
    return list(broker().queues())


def slots(pool: str) -> int:
    """How many jobs the pool works on at once."""
    return settings().cpu_slots if pool == "cpu" else settings().io_slots
