"""Raw Celery jobs that do nothing: a stock `celery worker --pool prefork` with four children.

They are published by the batch, each batch in one pipeline (Redis) or with one wait for its confirms (RabbitMQ): by
Celery's own `apply_async`, message by message, publishing would be the slower half and the workers would wait for it.
"""

import psutil

from accepted.bench import bare_celery, beside
from accepted.bench.drain import drained
from accepted.bench.measure import Bound
from accepted.stack.child import Spec
from accepted.stack.run import Stack

COMMAND = (
    f"celery -A accepted.bench.bare_celery --quiet worker --pool prefork --concurrency {beside.WORKERS}"
    " --loglevel WARNING"
)


class _Celery:
    """See `beside.Raw`."""

    name: str
    what: str
    jobs = 4000
    bounds: dict[str, Bound]
    env: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, stack: Stack) -> None:
        self.runner = stack.runner
        self.bound = self.bounds[stack.backend]
        self.broker = beside.broker(stack.backend)(stack.env["BROKER_URL"])
        self.broker.declare(self.name)
        self.count = stack.folder.path / f"{self.name}.count"
        self.count.touch(mode=0o600)
        env = {
            bare_celery.BROKER: stack.env["BROKER_URL"],
            bare_celery.COUNT: str(self.count),
            bare_celery.QUEUE: self.name,
        }
        self.runner.add(Spec(self.name, COMMAND, env=env | self.env))

    def clear(self) -> None:
        self.broker.empty(self.name)

    def workers(self) -> int:
        """Celery's children; the first job waits until they listen."""
        return sum(len(psutil.Process(pid).children(recursive=True)) for pid in self.runner.pids(self.name))

    def rate(self, count: int) -> float:
        return drained(self.broker, self.name, lambda: self.count.stat().st_size, count)

    def close(self) -> None:
        self.broker.close()


class SameDelivery(_Celery):
    """Late acknowledgement and a prefetch of one, as the system's workers have it."""

    name, what = "raw", "jobs/s, Celery, late, prefetch 1"
    bounds = {"celery-redis": Bound("least", 0.35), "celery-rabbitmq": Bound("least", 0.2)}  # noqa: RUF012
    env = {bare_celery.LATE: "1"}  # noqa: RUF012


class Stock(_Celery):
    """Celery's defaults: a killed worker's messages are lost."""

    name, what = "stock", "jobs/s, Celery, defaults"
    bounds = {"celery-redis": Bound("least", 0.35), "celery-rabbitmq": Bound("shown")}  # noqa: RUF012
