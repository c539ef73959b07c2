"""The types that every module speaks in, and the broker port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

JobId = UUID
TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `jobs`, as it was when it was read. `args` holds ids and versions only."""

    id: JobId
    tenant_id: str
    kind: str
    natural_key: str
    args: Mapping[str, Any]
    aggregate: str
    trace_id: str
    traceparent: str
    seq: int = 0
    parent_id: JobId | None = None
    state: str = "queued"
    failures: int = 0
    deliveries: int = 0
    requeues: int = 0
    fence: int = 0
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What goes to the broker: ids and nothing else. Whoever reads the broker learns no personal data.

    `job` stays here: it is for a broker that wants to look at more than the id, where the publisher has it at hand.
    """

    job_id: JobId
    kind: str
    traceparent: str
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came back from the broker, decoded."""

    job_id: JobId
    kind: str


@dataclass(slots=True)
class Claim:
    """The right to work on a job until the lease ends. `fence` grows with every claim of the job.

    `lease_until` (moved on by each renewal) and `deadline` (the end of the time box) are seconds of this machine's
    monotonic clock, for a worker that asks itself whether it may still act; the truth is in Postgres, on Postgres'
    clock.
    """

    job: Job
    fence: int
    lease_until: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of an effect: the other side's id for it, and what else is worth keeping (no personal data)."""

    reference: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run failed. `status` and `retry_after` (seconds) are an HTTP partner's answer, where there was one.

    `transient` says whether the same run could succeed later; where there is a `status`, that decides instead.
    """

    error: str
    message: str
    status: int | None = None
    retry_after: float | None = None
    endpoint: str | None = None
    transient: bool = True


@dataclass(frozen=True, slots=True)
class Again:
    """Run the job again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Park the job among the dead letters."""

    reason: str


class Refused(Exception):
    """The job can't be claimed now; the message is acknowledged and forgotten. `why` is one word: the job's state,
    "paused", or "unknown" where there is no such job (yet)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Exhausted(Exception):
    """The job killed its worker too often to be tried again."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} was delivered {job.deliveries} times and never came to an end")
        self.job = job


class LostLease(Exception):
    """Another worker holds the job now, or its end has been recorded: nothing more may be written for it."""


class NotYet(Exception):
    """The job can't go on now for no fault of its own (no free slot, a predecessor at work): try after `delay` s.

    Counts neither as a failure nor as a crash.
    """

    def __init__(self, why: str, delay: float) -> None:
        super().__init__(why)
        self.why = why
        self.delay = delay


class Undecodable(Exception):
    """The bytes on the broker are not a message of ours."""


class PartnerError(Exception):
    """A call to a third party failed. `failure` holds what is known of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.error}: {failure.message}")
        self.failure = failure


class Broker(Protocol):
    """The port. A backend's `broker` module answers to it; so does `memory`, the fake.

    At least once, in order per queue, ids only. A broker may be wiped at any moment: `epoch` tells.
    """

    def queue_of(self, kind: str) -> str:
        """The queue that carries `kind`. Raises KeyError for a kind that nobody works on."""

    def queues(self) -> Sequence[str]:
        """Every queue, quick concerns first."""

    def publish(self, envelopes: Sequence[Envelope]) -> set[JobId]:
        """Publishes in order; returns the jobs that the broker confirmed. Raises BrokerDown if it can't be reached."""

    def decode(self, raw: bytes) -> Delivery:
        """Raises Undecodable."""

    def depth(self, queue: str) -> int:
        """Messages that wait in `queue`. Raises BrokerDown."""

    def purge(self, queue: str) -> int:
        """Removes the messages that wait in `queue`; returns how many. The jobs stay in Postgres. Raises BrokerDown."""

    def epoch(self) -> str | None:
        """The mark that this system left on the broker, or None where it is gone. Raises BrokerDown."""

    def mark_epoch(self, epoch: str) -> None:
        """Leaves the mark. Raises BrokerDown."""


class BrokerDown(Exception):
    """The broker can't be reached; what should have gone to it stays in the outbox."""
