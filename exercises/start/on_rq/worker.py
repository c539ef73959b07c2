"""RQ's worker, set up so that it neither stalls nor trusts what lies in Redis.

`python -m app worker io` runs `rq worker-pool` with this worker and this job class. The worker does not fork for
each job: that costs 5 ms and a new database connection, and what forking would protect from (a crash, a leak) the
lease and the pool's respawn recover from. A fork would also hide nothing from the reaper.
"""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Any

import structlog
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq import Queue, SimpleWorker
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.timeouts import JobTimeoutException

from billing.db import DatabaseDown, limit_connections, unit

from ..shared import caps, dead_letters, parent, runner, telemetry
from .limits import FAILURE_TTL, message_timeout

RECYCLE_AFTER = 10_000  # jobs

log = structlog.get_logger(__name__)


_READ = frozenset({b"data", b"origin", b"created_at", b"enqueued_at", b"status", b"description", b"meta"})


class Message(Job):
    """An RQ job whose data is decoded by our own rules: `perform` imports nothing that the data names."""

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Reads no more of the hash than a message of ours needs. By its other fields RQ would import and call
        (callbacks), post to any address (webhooks), and run things again (retries, repeats, dependencies)."""
        try:
            super().restore({name: value for name, value in raw_data.items() if name in _READ})
        except ValueError:  # a date that is none, say: the data decides what becomes of it
            super().restore({b"data": raw_data[b"data"]})
            self.origin = raw_data.get(b"origin", b"").decode(errors="replace")
        self.timeout, self.result_ttl, self.failure_ttl = message_timeout(), 0, FAILURE_TTL

    def perform(self) -> None:
        runner.deliver(self.data, self.origin, timed_out=(JobTimeoutException,))

    def cleanup(self, ttl: int | None = None, pipeline: Pipeline | None = None, remove_from_queue: bool = True) -> None:
        """To take a finished job away, RQ asks Redis for its status and its executions, command by command. A message
        has one execution, which its worker ends in the same transaction, and nothing else that would be left."""
        if ttl == 0 and pipeline is not None and not remove_from_queue:
            pipeline.delete(self.key, self.dependents_key, self.execution_registry.key)
        else:
            super().cleanup(ttl, pipeline, remove_from_queue)


def perform(job_id: str, kind: str) -> None:
    """The function that messages name, for `rq info` and dashboards; `Message.perform` is what runs."""
    raise RuntimeError(
        f"{kind} {job_id} must run under app.on_rq.worker.Message: start workers by `python -m app worker`."
    )


class Worker(SimpleWorker):
    """Maintenance and heartbeats by the second.

    RQ looks after its registries only between two pops, and waits up to `worker_ttl - 15` s for a pop: with the
    defaults of 420 s and 600 s, a lost job was not back after 760 s. The lease in Postgres does not depend on it,
    but `rq info` should tell the truth as well.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("worker_ttl", 20)
        kwargs.setdefault("maintenance_interval", 5)
        kwargs.setdefault("log_job_description", False)
        super().__init__(*args, **kwargs)
        self.log_result_lifespan = False
        self.push_exc_handler(park)  # type: ignore[no-untyped-call]

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        super().bootstrap(*args, **kwargs)
        telemetry.configure("worker")  # after RQ's own, which would print messages as plain text
        self.log.setLevel(logging.WARNING)  # the pool's --quiet reaches only the first workers, not their successors
        process = os.environ.get("PROCESS", "")
        if process.startswith("worker-"):
            limit_connections(caps.connections(process))
        parent.leave_with_it()

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> tuple[Job, Queue] | None:
        """RQ's workers end at bytes that are no id, or an id that stands for something else than a hash: one respawn
        for each, and nobody told."""
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(*args, **kwargs)
            except (ValueError, TypeError, ResponseError) as error:
                raw = error.object if isinstance(error, UnicodeDecodeError) else getattr(error, "job_id", None)
                if raw is None:
                    raise
                # Of bytes that are no text, RQ doesn't say where they lay.
                queue = error.queue.name if hasattr(error, "queue") else "unknown"
                _park_raw(raw if isinstance(raw, bytes) else raw.encode(), queue, "it is no job's id")

    def run_maintenance_tasks(self) -> None:
        """The same bytes lie in RQ's list of messages in transit, where its maintenance would end at them again."""
        try:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, ResponseError) as error:
            log.error("RQ's registries not cleaned", exc_info=error)
            self.last_cleaned_at = datetime.now(UTC)  # type: ignore[assignment]

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Leaves after some thousand jobs, so that no leak grows for ever; the pool starts a fresh one."""
        kwargs.setdefault("max_jobs", RECYCLE_AFTER)
        return super().work(*args, **kwargs)

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Asked twice is asked once: a pool hands on each signal that it gets, and when its autoscaler dies, the kernel
        sends one more. Whoever must go now is killed; then the lease brings the job back."""

    def _start_scheduler(self, *args: Any, **kwargs: Any) -> None:
        """None: retries come due in Postgres. (A pool asks every worker for one: rq/worker_pool.py, run_worker.)"""


def _park_raw(raw: bytes, queue: str, why: str) -> None:
    try:
        with unit() as s:
            dead_letters.park_raw(s, raw, queue, f"undecodable: {why}")
    except DatabaseDown as down:
        log.error("undecodable message not parked", queue=queue, size=len(raw), why=str(down))


def park(job: Job, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> bool:
    """RQ's exception handler: what never became a job of ours goes to the dead letters as it is.

    Returns False, so that RQ's later handlers, which know nothing of ours, are left out.
    """
    if isinstance(error, DeserializationError):
        _park_raw(job.data, job.origin, "not JSON")
    elif isinstance(error, DatabaseDown):
        log.error("message dropped: Postgres is down; its job is queued and will be published again", why=str(error))
    else:
        log.error("message failed outside its handler; its job will come again", exc_info=error)
    return False
