"""How long a message's run may take, and how long RQ remembers one that failed."""

from billing.settings import settings

FAILURE_TTL = 3600  # s


def message_timeout() -> int:
    """Whole seconds for RQ's timer. It ends a run a little before the lease does, so that the run that took too long
    is recorded as one, and not taken for a worker that died."""
    box = settings().time_box
    return max(1, int(max(box * 0.9, box - 3)))
