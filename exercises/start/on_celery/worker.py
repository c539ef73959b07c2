"""What runs in Celery's workers: a task for each kind of job, and what a process does when it is born."""

import logging
import os
from typing import Any

import structlog
from celery import Task, signals
from celery.exceptions import Reject, SoftTimeLimitExceeded

from billing import db

from ..shared import caps, runner, telemetry
from ..shared.jobs import KINDS
from . import broker, messages
from .main import app

log = structlog.get_logger(__name__)


def perform(task: Task, *arguments: Any, **keywords: Any) -> None:
    """Carries one job to its next state. The consumer has read the message; this reads it again, by the same rules."""
    raw = messages.pack(arguments, keywords)
    queue = str((task.request.delivery_info or {}).get("routing_key") or broker.queue_of(task.name))
    try:
        runner.deliver(raw, queue, timed_out=(SoftTimeLimitExceeded,))
    except db.DatabaseDown as down:
        # The claim waited as long as a lease. The job is still queued, and so is its message.
        log.error("message given back: Postgres is down", why=str(down))
        raise Reject(down, requeue=True) from down
    except SoftTimeLimitExceeded:
        log.error("time box over before or after the work itself; if the job is not recorded, its lease ends")


# A task for each kind, so that Celery's own tools (rates, routes, Flower's table) speak of kinds of work.
for _kind in KINDS:
    app.task(perform, name=_kind, bind=True, typing=False)


def _log_as_we_do(**_: object) -> None:
    """With a receiver here, Celery sets up no logging of its own."""
    telemetry.configure("worker")
    for name in ("celery.worker.strategy", "celery.app.trace"):  # "received", "succeeded": we say so ourselves
        logging.getLogger(name).setLevel(logging.WARNING)


def _parent(**_: object) -> None:
    """The parent needs Postgres for one thing: to keep what can't be decoded."""
    db.limit_connections(1)


def _born(**_: object) -> None:
    """After the fork: nothing of the parent's is used, everything is opened again on first use."""
    telemetry.configure("worker")
    db.dispose()
    process = os.environ.get("PROCESS", "")
    if process.startswith("worker-"):
        db.limit_connections(caps.connections(process))


def _end(**_: object) -> None:
    db.dispose()


signals.setup_logging.connect(_log_as_we_do)
signals.celeryd_init.connect(_parent)
signals.worker_process_init.connect(_born)
signals.worker_process_shutdown.connect(_end)
