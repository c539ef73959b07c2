"""What a backend's benches measure beside: its broker, used barely, and its library's raw workers."""

from collections.abc import Callable, Sequence
from typing import Protocol

from accepted.bench.measure import Bound
from accepted.stack.run import Stack

WORKERS = 4  # processes on each side, as many as ship (IO_SLOTS): who waits for the disk leaves the cores to the others


class Broker(Protocol):
    """A broker by its plainest client, without any of the system's care. Queue names are the system's own."""

    def declare(self, queue: str) -> None:
        """The queue exists from here on."""

    def publish(self, queue: str, job_ids: Sequence[str]) -> None:
        """All of them, confirmed, in the fastest way that the library has: messages of which a raw worker does each."""

    def depth(self, queue: str) -> int:
        """Messages that lie there."""

    def empty(self, queue: str) -> None:
        """Takes them all away."""

    def take(self, queue: str, seconds: float) -> str | None:
        """Waits for a message and takes it: its text, in which the job's id stands. None: none came in time."""

    def close(self) -> None: ...


class Raw(Protocol):
    """Workers that do nothing, and the bare queue before them. Everything is stopped between two measurements."""

    name: str  # of its processes, and of its queue
    what: str  # for the table
    jobs: int  # in a round
    bound: Bound  # for the system's rate divided by this one's

    def clear(self) -> None:
        """Nothing is left of earlier rounds."""

    def workers(self) -> int:
        """How many are up."""

    def rate(self, count: int) -> float:
        """Jobs/s, from the first that was enqueued to the last that was done. Raises Invalid where any was not."""

    def close(self) -> None: ...


def broker(backend: str) -> Callable[[str], Broker]:
    """Opens a client for the URL that it is given."""
    match backend:
        case "rq":
            from accepted.bench.bare_rq import Bare as Rq

            return Rq
        case "celery-redis":
            from accepted.bench.bare_redis import Bare as Redis

            return Redis
        case "celery-rabbitmq":
            from accepted.bench.bare_rabbitmq import Bare as RabbitMQ

            return RabbitMQ
    raise KeyError(backend)


def raw_sides(stack: Stack) -> list[Raw]:
    """Those of the backend's own library, and the peer that needs Postgres alone. Their processes are not started."""
    from accepted.bench.raw_procrastinate import Procrastinate

    if stack.backend == "rq":
        from accepted.bench import raw_rq

        return [raw_rq.SameClass(stack), raw_rq.Stock(stack), Procrastinate(stack)]
    from accepted.bench import raw_celery

    return [raw_celery.SameDelivery(stack), raw_celery.Stock(stack), Procrastinate(stack)]
