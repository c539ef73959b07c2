"""noops: durable jobs that do nothing, accepted to done, beside raw RQ jobs that do nothing. Two worker processes each.

Counted, the system: N jobs accepted in batches of 500, from the first one's `accepted_at` to the last one's
`finished_at`, with relay and scheduler running; each is claimed with lease and fencing token, guarded by its natural
key, and its three events are written. Raw: N jobs enqueued by `enqueue_many` in batches of 500, JSON, from the first
enqueue until the workers have counted them all: once with the system's own worker class, which does not fork, once
with stock `rq worker`s, which fork for each job. Only the side that is measured runs.
"""

import time
from typing import LiteralString
from uuid import uuid4

import psycopg
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accepted.bench import work_rows
from accepted.bench.bare_jobs import noop
from accepted.bench.effective import servers
from accepted.bench.measure import Bound, Figure, Invalid, middle, ratios
from accepted.bench.room import Room
from accepted.stack import processes
from accepted.stack.child import Spec
from accepted.stack.run import Stack

SYSTEM = ("relay", "scheduler", "worker-io")
JSON = "--serializer rq.serializers.JSONSerializer"
SAME_CLASS = f"rq worker-pool --quiet --num-workers 2 {JSON} --worker-class app.on_rq.worker.Worker raw"
STOCK = f"rq worker --quiet {JSON} stock"
PATIENCE = 120.0  # seconds for one side of one round
WARM_UP = 20  # jobs before the clock: imports, first connections

_DONE = """
SELECT count(*) FILTER (WHERE state = 'succeeded' AND deliveries = 1), count(effects.natural_key),
    extract(epoch FROM max(finished_at) - min(accepted_at))
FROM jobs LEFT JOIN effects ON effects.natural_key = jobs.natural_key WHERE accepted_at > %s
"""


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    with (
        Stack(room.tree, backend=room.backend, processes=SYSTEM, seed="tiny", env={"IO_SLOTS": "2"}) as stack,
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection,
    ):
        known = servers(stack.env)
        sides = _Sides(stack, room, connection)
        rates: dict[str, list[float]] = {"system": [], "raw": [], "stock": []}
        for number in range(1, room.rounds + 1):
            order = ["system", "raw", "stock"]
            for side in order if number % 2 else reversed(order):
                rates[side].append(sides.rate(side))
                room.say(f"noops: round {number} of {room.rounds}, {side:<6} {rates[side][-1]:>6,.0f} jobs/s")
    shown = {side: f"{middle(found):,.0f}/s" for side, found in rates.items()}
    raw, stock = (ratios(list(zip(rates["system"], rates[side], strict=True))) for side in ("raw", "stock"))
    return [
        Figure("noops", "jobs/s, same worker class", "×", raw, Bound("least", 0.5), shown["system"], shown["raw"]),
        Figure("noops", "jobs/s, stock rq worker", "×", stock, Bound("least", 2.0), shown["system"], shown["stock"]),
    ], known  # fmt: skip


class _Sides:
    def __init__(self, stack: Stack, room: Room, connection: psycopg.Connection) -> None:
        self.runner, self.room, self.connection = stack.runner, room, connection
        self.broker = Redis.from_url(stack.env["BROKER_URL"], socket_timeout=10)
        self.running: tuple[str, ...] = SYSTEM
        url = {"RQ_REDIS_URL": stack.env["BROKER_URL"]}
        self.runner.add(Spec("raw", SAME_CLASS, env=url))
        self.runner.add(Spec("stock", STOCK, env=url), 2)

    def rate(self, side: str) -> float:
        """Jobs/s of one side, with nothing else running."""
        self._only(SYSTEM if side == "system" else (side,))
        queue = work_rows.QUEUE if side == "system" else side
        if not processes.until(lambda: self._workers(queue) == 2, 30):
            raise Invalid(f"noops, {side}: {self._workers(queue)} workers came up, and there should be 2")
        measure = self._durable if side == "system" else lambda count: self._raw(queue, count)
        measure(WARM_UP)
        return measure(self.room.scaled({"system": 1000, "raw": 1500, "stock": 300}[side], 200))

    def _only(self, wanted: tuple[str, ...]) -> None:
        for name in self.running:
            self.runner.stop(name)
        work_rows.clear(self.connection)
        for name in wanted:
            self.runner.start(name)
        self.running = wanted

    def _durable(self, count: int) -> float:
        (since,) = self._row("SELECT clock_timestamp()")
        work_rows.accept(self.connection, count)
        over = "SELECT count(*) FROM jobs WHERE accepted_at > %s AND state NOT IN ('queued', 'running')"
        processes.until(lambda: self._row(over, since)[0] == count, PATIENCE, pause=0.1)
        done, effects, seconds = self._row(_DONE, since)
        if (done, effects) != (count, count) or not seconds:
            raise Invalid(f"noops: of {count} jobs {done} were done at their first delivery, with {effects} effects")
        return count / float(str(seconds))

    def _raw(self, name: str, count: int) -> float:
        queue = Queue(name, connection=self.broker, serializer=JSONSerializer)
        before = self._counted(name)
        began = time.perf_counter()
        for at in range(0, count, work_rows.BATCH):
            few = range(at, min(at + work_rows.BATCH, count))
            # No result is kept, as in the system: that saves the raw side two commands a job.
            queue.enqueue_many([Queue.prepare_data(noop, args=(str(uuid4()),), result_ttl=0) for _ in few])
        done = processes.until(lambda: self._counted(name) - before >= count, PATIENCE, pause=0.01)
        seconds = time.perf_counter() - began
        if not done or self._counted(name) - before != count:
            raise Invalid(f"noops: of {count} raw jobs the workers counted {self._counted(name) - before}")
        return count / seconds

    def _workers(self, queue: str) -> int:
        return int(self.broker.scard(f"rq:workers:{queue}"))

    def _counted(self, queue: str) -> int:
        """What the queue's workers say that they have done."""
        keys = self.broker.smembers(f"rq:workers:{queue}")
        return sum(int(self.broker.hget(key, "successful_job_count") or 0) for key in keys)

    def _row(self, query: LiteralString, *values: object) -> tuple[object, ...]:
        return self.connection.execute(query, values).fetchone() or (None, None, None)
