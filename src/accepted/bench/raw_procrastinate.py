"""Procrastinate, a queue that is transactional as well: its jobs are rows of the same PostgreSQL.

From its own events, by PostgreSQL's clock: the first `deferred` to the last `succeeded`. Its jobs that do nothing are
asynchronous, ten at a time in each worker, and deferred in batches of 500.
"""

from typing import LiteralString
from uuid import uuid4

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.types import JSONDict

from accepted.bench import work_rows
from accepted.bench.bare_procrastinate import QUEUE, TASK
from accepted.bench.beside import WORKERS
from accepted.bench.measure import Bound, Invalid
from accepted.stack import processes
from accepted.stack.child import Spec
from accepted.stack.run import Stack

PATIENCE = 120.0  # s
_LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE id > %s AND status IN ('todo', 'doing')"
_DONE = """
SELECT count(DISTINCT job_id) FILTER (WHERE type = 'succeeded'), count(*) FILTER (WHERE type = 'started'),
    extract(epoch FROM max(at) FILTER (WHERE type = 'succeeded') - min(at) FILTER (WHERE type = 'deferred'))
FROM procrastinate_events WHERE job_id > %s
"""


class Procrastinate:
    """See `beside.Raw`."""

    name, what, jobs, bound = QUEUE, "jobs/s, Procrastinate", 1500, Bound("shown")

    def __init__(self, stack: Stack) -> None:
        url = stack.env["DATABASE_URL"]
        self.connection = psycopg.connect(url, autocommit=True)
        self.app = App(connector=SyncPsycopgConnector(conninfo=url, min_size=1, max_size=1))
        self.app.open()
        self.app.schema_manager.apply_schema()
        stack.runner.add(Spec(self.name, "python -m accepted.bench.bare_procrastinate"), WORKERS)

    def clear(self) -> None:
        self.connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")

    def workers(self) -> int:
        return int(str(self._row("SELECT count(*) FROM procrastinate_workers")[0]))

    def rate(self, count: int) -> float:
        (last,) = self._row("SELECT coalesce(max(id), 0) FROM procrastinate_jobs")
        task = self.app.configure_task(TASK, queue=QUEUE)
        for at in range(0, count, work_rows.BATCH):
            few = range(at, min(at + work_rows.BATCH, count))
            arguments: list[JSONDict] = [{"job_id": str(uuid4())} for _ in few]
            task.batch_defer(*arguments)
        processes.until(lambda: self._row(_LEFT, last)[0] == 0, PATIENCE, pause=0.1)
        done, started, seconds = self._row(_DONE, last)
        if (done, started) != (count, count) or not seconds:
            raise Invalid(f"noops: of {count} jobs Procrastinate did {done}, in {started} runs")
        return count / float(str(seconds))

    def close(self) -> None:
        self.app.close()
        self.connection.close()

    def _row(self, query: LiteralString, *values: object) -> tuple[object, ...]:
        return self.connection.execute(query, values).fetchone() or (None, None, None)
