"""RQ's worker, set up so that it neither stalls nor trusts what lies in Redis.

`python -m app worker io` executes `rq worker-pool` with this worker and this job class. The worker does not fork for
each job: that costs 5 ms and a new database connection, and what forking would protect from (a crash, a leak) the
lease and the pool's respawn recover from. A fork would also hide nothing from the reaper.
"""

from types import TracebackType
from typing import Any

import structlog
from rq import SimpleWorker
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.timeouts import JobTimeoutException

from billing.db import DatabaseDown, unit

from ..shared import dead_letters, runner, telemetry

RECYCLE_AFTER = 10_000  # jobs

log = structlog.get_logger(__name__)


class Message(Job):
    """An RQ job whose data is decoded by our own rules: `perform` imports nothing that the data names."""

    def perform(self) -> None:
        runner.deliver(self.data, self.origin, timed_out=(JobTimeoutException,))


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

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Leaves after some thousand jobs, so that no leak grows for ever; the pool starts a fresh one."""
        kwargs.setdefault("max_jobs", RECYCLE_AFTER)
        return super().work(*args, **kwargs)

    def _start_scheduler(self, *args: Any, **kwargs: Any) -> None:
        """None: retries come due in Postgres. (A pool asks every worker for one: rq/worker_pool.py, run_worker.)"""


def park(job: Job, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> bool:
    """RQ's exception handler: what never became a job of ours goes to the dead letters as it is.

    Returns False, so that RQ's later handlers, which know nothing of ours, are left out.
    """
    if isinstance(error, DeserializationError):
        with unit() as s:
            dead_letters.park_raw(s, job.data, job.origin, "undecodable: not JSON")
    elif isinstance(error, DatabaseDown):
        log.error("message dropped: Postgres is down; its job is queued and will be published again", why=str(error))
    else:
        log.error("message failed outside its handler; its job will come again", exc_info=error)
    return False
