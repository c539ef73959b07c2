"""What to do with this failure at this attempt: a pure decision. The runner carries it out.

Retries are rows in Postgres that come due, so nothing here waits and no worker sleeps.
"""

from datetime import datetime, timedelta
from random import Random

from billing.settings import settings

from .core import Again, Failure, GiveUp

# 4xx says that the request is wrong, and it will be as wrong the next time; these three say "not now".
NOT_NOW = frozenset({408, 425, 429})
# Nobody is kept waiting longer than this by what a partner writes into a header.
LONGEST_RETRY_AFTER = 86400.0


def decide(failure: Failure, attempt: int, now: datetime, rng: Random) -> Again | GiveUp:
    """`attempt` counts from 1. Full jitter: a uniform draw between nothing and a ceiling that doubles, up to the cap.

    A partner's Retry-After is kept to, and jitter comes on top, so that those who were all told the same second
    don't all come back in it.
    """
    policy = settings()
    if not is_transient(failure):
        return GiveUp(f"{failure.error} is not worth a retry")
    if attempt >= policy.max_attempts:
        return GiveUp(f"{failure.error} after {attempt} attempts")
    ceiling = min(policy.retry_cap, policy.retry_base * 2 ** min(attempt - 1, 60))
    delay = rng.uniform(0, ceiling)
    if failure.retry_after is not None:
        delay = min(max(failure.retry_after, 0), LONGEST_RETRY_AFTER) + rng.uniform(0, policy.retry_base)
    return Again(now + timedelta(seconds=delay))


def is_transient(failure: Failure) -> bool:
    """Whether the same call could succeed later."""
    if failure.status is None:
        return failure.transient
    return failure.status >= 500 or failure.status in NOT_NOW
