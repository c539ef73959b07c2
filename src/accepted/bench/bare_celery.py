"""A stock Celery app with one task that does nothing (`celery -A accepted.bench.bare_celery worker`).

Celery's own settings: JSON, acknowledged early, a prefetch of four for each child. With BARE_LATE, the delivery that
the system's workers ask for: acknowledged late, a prefetch of one. On RabbitMQ its queue is a quorum queue. The task
says that it was run by one byte at the end of a file, which takes a few microseconds; Celery has no counter to ask.
"""

import os
from functools import lru_cache

from celery import Celery
from kombu import Exchange, Queue

from accepted.bench.bare_message import TASK
from accepted.bench.bare_rabbitmq import QUORUM

BROKER, COUNT, QUEUE, LATE = "BARE_BROKER", "BARE_COUNT", "BARE_QUEUE", "BARE_LATE"  # the variables that it reads

url, queue = os.environ.get(BROKER, ""), os.environ.get(QUEUE, "celery")
rabbitmq = url.startswith("amqp")
app = Celery("bare", broker=url, set_as_current=False)
app.conf.update(
    task_queues=[Queue(queue, Exchange(""), routing_key=queue, queue_arguments=QUORUM if rabbitmq else None)],
    task_default_queue=queue,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)
if LATE in os.environ:
    app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)


@lru_cache(maxsize=1)
def _count(pid: int) -> int:
    return os.open(os.environ[COUNT], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@app.task(name=TASK)  # type: ignore[untyped-decorator]
def noop(job_id: str) -> None:
    os.write(_count(os.getpid()), b".")
