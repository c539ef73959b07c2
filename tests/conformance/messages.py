"""Messages for a broker to carry, and what comes out of one of its queues."""

from uuid import UUID, uuid4

from app.shared.core import Envelope

TRACEPARENT = "00-" + "0" * 31 + "1-0000000000000001-01"


def envelope(kind: str = "noop", job_id: UUID | None = None) -> Envelope:
    return Envelope(job_id or uuid4(), kind, TRACEPARENT)


def drain(driver, queue: str) -> list[UUID]:
    """Takes and acknowledges all that waits, first to last."""
    found = []
    while (taken := driver.take(queue)) is not None:
        found.append(driver.broker.decode(taken[1]).job_id)
        driver.ack(taken[0])
    return found
