"""noops: durable jobs that do nothing, accepted to done, beside raw jobs that do nothing. Four worker processes each.

Counted, the system: N jobs accepted in batches of 500, from the first one's `accepted_at` to the last one's
`finished_at`, with relay and scheduler running; each is claimed with lease and fencing token, guarded by its natural
key, and its three events are written. Raw: N jobs enqueued in batches of 500, from the first enqueue until the workers
have counted them all. RQ: once with the system's own worker class, which does not fork, once with stock `rq worker`s,
which fork for each job. Celery: a stock prefork worker on the same broker. Beside them Procrastinate, which keeps its
queue in the same PostgreSQL, and is shown, not judged. Only the side that is measured runs.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import LiteralString

import psutil
import psycopg

from accepted.bench import work_rows
from accepted.bench.beside import WORKERS, Raw, raw_sides
from accepted.bench.effective import servers
from accepted.bench.measure import Figure, Invalid, middle, ratios
from accepted.bench.room import Room
from accepted.stack import processes
from accepted.stack.run import Stack
from accepted.stack.runner import Runner

WORKER = "worker-io"
SYSTEM = ("relay", "scheduler", WORKER)
JOBS = {"rq": 1000}  # in a round, where it is not:
MORE = 1500
PATIENCE = 120.0  # seconds for one side of one round, and for its workers to come up before
WARM_UP = 20  # jobs before the clock: imports, first connections

_DONE = """
SELECT count(*) FILTER (WHERE state = 'succeeded' AND deliveries = 1), count(effects.natural_key),
    extract(epoch FROM max(finished_at) - min(accepted_at))
FROM jobs LEFT JOIN effects ON effects.natural_key = jobs.natural_key WHERE accepted_at > %s
"""


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    with (
        Stack(room.tree, backend=room.backend, processes=SYSTEM, seed="tiny", env={"IO_SLOTS": str(WORKERS)}) as stack,
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection,
        ExitStack() as done,
    ):
        known = servers(stack.env)
        raw = raw_sides(stack)
        for each in raw:
            done.callback(each.close)
        system = System(stack.runner, connection, JOBS.get(room.backend, MORE))
        sides: list[Raw | System] = [system, *raw]
        rates: dict[str, list[float]] = {side.name: [] for side in sides}
        for number in range(1, room.rounds + 1):
            for side in sides if number % 2 else reversed(sides):
                alone(side, sides, stack.runner)
                rates[side.name].append(side.rate(room.scaled(side.jobs, 200)))
                room.say(f"noops: round {number} of {room.rounds}, {side.name:<6} {rates[side.name][-1]:>6,.0f} jobs/s")
    ours = rates[system.name]
    return [
        Figure(
            "noops", side.what, "×", ratios(list(zip(ours, rates[side.name], strict=True))), side.bound,
            f"{middle(ours):,.0f}/s", f"{middle(rates[side.name]):,.0f}/s",
        )
        for side in raw
    ], known  # fmt: skip


def alone(side: "Raw | System", sides: "Sequence[Raw | System]", runner: Runner) -> None:
    """One side up and warm, with nothing else running. Raises Invalid where its workers do not come."""
    for each in sides:
        for name in _processes(each):
            runner.stop(name)
    for each in sides:
        each.clear()
    for name in _processes(side):
        runner.start(name)
    if not processes.until(lambda: side.workers() == WORKERS, PATIENCE):
        raise Invalid(f"noops, {side.name}: {side.workers()} workers came up, and there should be {WORKERS}")
    side.rate(WARM_UP)


def _processes(side: "Raw | System") -> tuple[str, ...]:
    return SYSTEM if isinstance(side, System) else (side.name,)


class System:
    """The guarded side: see the module."""

    name = "system"

    def __init__(self, runner: Runner, connection: psycopg.Connection, jobs: int) -> None:
        self.runner, self.connection, self.jobs = runner, connection, jobs

    def clear(self) -> None:
        work_rows.clear(self.connection)

    def workers(self) -> int:
        """The children of the pool; the first job waits until they listen."""
        return sum(len(psutil.Process(pid).children(recursive=True)) for pid in self.runner.pids(WORKER))

    def rate(self, count: int) -> float:
        (since,) = self._row("SELECT clock_timestamp()")
        work_rows.accept(self.connection, count)
        over = "SELECT count(*) FROM jobs WHERE accepted_at > %s AND state NOT IN ('queued', 'running')"
        processes.until(lambda: self._row(over, since)[0] == count, PATIENCE, pause=0.1)
        done, effects, seconds = self._row(_DONE, since)
        if (done, effects) != (count, count) or not seconds:
            raise Invalid(f"noops: of {count} jobs {done} were done at their first delivery, with {effects} effects")
        return count / float(str(seconds))

    def _row(self, query: LiteralString, *values: object) -> tuple[object, ...]:
        return self.connection.execute(query, values).fetchone() or (None, None, None)
