"""Raw Celery jobs that do nothing: a stock `celery worker --pool prefork` with two children.

They are published by the batch, each batch in one pipeline (Redis) or with one wait for its confirms (RabbitMQ): by
Celery's own `apply_async`, message by message, publishing would be the slower half and the workers would wait for it.
"""

import psutil

from accepted.bench import bare_celery, beside
from accepted.bench.drain import drained
from accepted.bench.measure import Bound
from accepted.stack.child import Spec
from accepted.stack.run import Stack

FLOORS = {"celery-redis": 0.35, "celery-rabbitmq": 0.2}


class Celery:
    """See `beside.Raw`."""

    name, jobs = "raw", 4000

    def __init__(self, stack: Stack) -> None:
        self.runner = stack.runner
        self.bound = Bound("least", FLOORS[stack.backend])
        self.what = "jobs/s, raw Celery" + (", quorum queue" if stack.rabbitmq else "")
        self.broker = beside.broker(stack.backend)(stack.env["BROKER_URL"])
        self.broker.declare(self.name)
        self.count = stack.folder.path / "raw-celery.count"
        self.count.touch(mode=0o600)
        env = {
            bare_celery.BROKER: stack.env["BROKER_URL"],
            bare_celery.COUNT: str(self.count),
            bare_celery.QUEUE: self.name,
        }
        command = (
            "celery -A accepted.bench.bare_celery --quiet worker --pool prefork --concurrency 2 --loglevel WARNING"
        )
        self.runner.add(Spec(self.name, command, env=env))

    def clear(self) -> None:
        self.broker.empty(self.name)

    def workers(self) -> int:
        """Celery's children; the first job waits until they listen."""
        return sum(len(psutil.Process(pid).children(recursive=True)) for pid in self.runner.pids(self.name))

    def rate(self, count: int) -> float:
        return drained(self.broker, self.name, lambda: self.count.stat().st_size, count)

    def close(self) -> None:
        self.broker.close()
