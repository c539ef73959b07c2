"""Two pools of workers: rendering keeps a core busy, everything else waits for somebody else's answer.

In one pool, as many long reports as there are workers stop every e-mail. Apart, each pool has the size its work
needs: CPU slots as many as cores, I/O slots as many as calls that may wait at once.
"""

from billing.settings import settings

from .backend import broker

POOLS = ("io", "cpu")
CPU_KINDS = ("report.export",)


def queues_for(pool: str) -> list[str]:
    """The queues that a pool's workers listen on, quick concerns first. Together the pools cover every queue."""
    _known(pool)
    port = broker()
    heavy = {port.queue_of(kind) for kind in CPU_KINDS}
    return [queue for queue in port.queues() if (queue in heavy) == (pool == "cpu")]


def slots(pool: str) -> int:
    """How many jobs the pool works on at once."""
    _known(pool)
    return settings().cpu_slots if pool == "cpu" else settings().io_slots


def _known(pool: str) -> None:
    if pool not in POOLS:
        raise ValueError(f"There is no pool {pool!r}. Start the worker with one of: {', '.join(POOLS)}.")
