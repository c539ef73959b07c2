"""What a story does between its lines: a claim, a round of a loop, a look at what waits."""

from uuid import UUID

from app.shared import claims, memory, relay, scheduler
from app.shared.core import Claim, Job

from billing.db import unit


def claim(job: Job) -> Claim:
    with unit() as s:
        return claims.claim(s, job.id)


def expire() -> list[Job]:
    with unit() as s:
        return claims.expired(s)


def tick() -> None:
    """One round with every duty due, but for the cleaning."""
    scheduler.tick(1.0, 0.0, float("inf"))


def published(spine) -> int:
    """Messages that ever went out."""
    while relay.run_once():
        pass
    return int(spine.one("SELECT count(*) FROM outbox"))


def everything_on(queue: str) -> list[UUID]:
    """The jobs whose messages wait in `queue` of the broker in memory, first to last."""
    return [memory.the.decode(raw).job_id for raw in memory.the.waiting[queue]]
