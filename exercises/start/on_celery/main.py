"""The Celery app, for both brokers (`celery -A app.on_celery.main:app …`), and how its workers are started."""

import os
from typing import Any

from celery import Celery

from billing.settings import Settings, settings

from ..shared import pools
from . import delivery, topology

RECYCLE_AFTER = 10_000  # jobs of one child, so that no leak grows for ever
MOST_MEMORY = 512_000  # KiB of one child: after the job with which it passed this it is replaced


def configuration(s: Settings) -> dict[str, Any]:
    """Celery's settings, each with its reason."""
    return {
        **_broker(s),
        **delivery.configuration(s.broker),
        # Jobs go on while the broker is away: their truth is in Postgres, and a second delivery is refused there.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Results live in Postgres.
        "task_ignore_result": True,
        "result_backend": None,
        # The time box. The first limit raises in the job while its lease still holds, so that it can be recorded as a
        # failure; the second kills a child that won't listen.
        "task_soft_time_limit": soft_limit(s.time_box),
        "task_time_limit": s.time_box + 5,
        # Children
        "worker_max_tasks_per_child": RECYCLE_AFTER,
        "worker_max_memory_per_child": MOST_MEMORY,
        "worker_proc_alive_timeout": 20,
        "worker_soft_shutdown_timeout": 5.0,  # on SIGQUIT; SIGTERM waits for the jobs at hand, however long
        # Code of ours
        "imports": ["app.on_celery.worker"],
        "worker_consumer": "app.on_celery.consumer:Consumer",
        # Logging is ours (see worker.py); events are off until somebody looks (Flower asks for them by itself).
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "timezone": "UTC",
    }


def soft_limit(time_box: float) -> float:
    """Seconds: a little before the lease ends with the time box."""
    return max(time_box * 0.9, time_box - 3)


def _broker(s: Settings) -> dict[str, Any]:
    common = {
        "broker_url": s.broker,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 4,
    }
    if s.broker.startswith("amqp"):
        return common | {"broker_heartbeat": 10}
    return common | {
        "broker_transport": "app.on_celery.transport:Transport",
        "broker_transport_options": {
            "priority_steps": [0],  # one list a queue, not four
            # A message that nobody acknowledged for so long is delivered again: longer than a job may take, or healthy
            # work would be doubled. A killed worker's job does not wait for it: its lease ends long before.
            "visibility_timeout": int(2 * s.time_box) + 60,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 4,
            "socket_timeout": 10,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
    }


app = Celery("accepted", set_as_current=False)
app.conf.update(configuration(settings()))


def command(pool: str) -> list[str]:
    """`celery worker` for the `io` or the `cpu` pool, as arguments for `python -m`."""
    queues = pools.queues_for(pool)
    if pool == "io":
        queues = [*queues, *topology.dead_queues(settings().broker)]
    options = {
        "--pool": "prefork",
        "--concurrency": str(pools.slots(pool)),
        "--queues": ",".join(queues),
        "--hostname": f"{pool}-{os.getpid()}@%h",  # several workers of a pool may run on one machine
    }
    arguments = [part for option in options.items() for part in option]
    # Gossip and mingling tell workers about each other; ours have nothing to say.
    return ["celery", "-A", "app.on_celery.main:app", "--quiet", "worker", *arguments, "--without-gossip",
            "--without-mingle"]  # fmt: skip
