"""relay: rows/s of the relay as shipped beside the bare loop of `bare_relay`, on the same PostgreSQL and broker.

Counted: rows between the mark of the first batch and that of the last, by PostgreSQL's clock on both sides, so the
start of a process is on neither. Fresh statistics on both. Then, with nothing else to do, commit to publish: from the
return of a commit to the moment at which a client that waits at the broker has the message.
"""

import random
import time
from datetime import timedelta

import psycopg
from psycopg import sql

from accepted.bench import bare_relay, beside, work_rows
from accepted.bench.aside import Aside
from accepted.bench.effective import servers
from accepted.bench.measure import Bound, Figure, Invalid, middle, percentile, ratios
from accepted.bench.room import Room, paired
from accepted.stack import processes
from accepted.stack.run import Stack

FLOORS = {
    "rq": ("rows/s to RQ", 0.7),
    "celery-redis": ("rows/s to Celery on Redis", 0.6),
    "celery-rabbitmq": ("rows/s to quorum queues", 0.6),
}
_SPAN = """
SELECT count(*), count(*) FILTER (WHERE published_at = (SELECT min(published_at) FROM {table})),
    max(published_at) - min(published_at)
FROM {table} WHERE published_at IS NOT NULL
"""


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    with Stack(room.tree, backend=room.backend, processes=["relay"], seed="tiny") as stack:
        with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
            broker = beside.broker(room.backend)(stack.env["BROKER_URL"])
            sides = _Sides(stack, room, connection, broker)
            pairs = paired(room.rounds, sides.system, sides.bare)
            waits = [sides.idle(number) for number in range(1, room.rounds + 1)]
            broker.close()
        known = servers(stack.env)
    p95 = [percentile(each, 0.95) for each in waits]
    what, floor = FLOORS[room.backend]
    return [
        Figure(
            "relay", what, "×", ratios(pairs), Bound("least", floor),
            f"{middle([one for one, _ in pairs]):,.0f}/s", f"{middle([other for _, other in pairs]):,.0f}/s",
        ),
        Figure(
            "relay", "commit to publish, idle, p95", "ms", p95, Bound("most", 50.0), f"{middle(p95):.1f} ms",
            f"{sum(map(len, waits))} samples",
        ),
    ], known  # fmt: skip


class _Sides:
    def __init__(
        self, stack: Stack, room: Room, connection: psycopg.Connection, broker: beside.Broker
    ) -> None:  # fmt: skip
        self.stack, self.room, self.connection, self.broker = stack, room, connection, broker
        self.rows = room.scaled(10_000, 2_000)
        self.random = random.Random(7)
        connection.execute(bare_relay.TABLE)
        broker.declare(bare_relay.QUEUE)

    def system(self, number: int) -> float:
        """Rows/s of the Procfile's relay, started on a full outbox."""
        self.stack.runner.stop("relay")
        work_rows.clear(self.connection)
        work_rows.accept(self.connection, self.rows)
        work_rows.settle(self.connection)
        self.stack.runner.start("relay")
        waiting = "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
        if not processes.until(lambda: self._value(waiting), 60, pause=0.1):
            raise Invalid("the relay did not empty the outbox within 60 s")
        return self._rate("system", number, "outbox", work_rows.QUEUE)

    def bare(self, number: int) -> float:
        """Rows/s of the bare loop."""
        self.stack.runner.stop("relay")
        self.connection.execute("TRUNCATE bare_rows")
        self.connection.execute(bare_relay.FILL, (self.rows,))
        self.connection.execute("VACUUM ANALYZE bare_rows")
        env = self.stack.env
        spec = {"backend": self.room.backend, "database": env["DATABASE_URL"], "broker": env["BROKER_URL"]}
        with Aside(self.stack.runner, "bare_relay", spec) as aside:
            aside.hear(60)
        return self._rate("bare", number, "bare_rows", bare_relay.QUEUE)

    def _rate(self, side: str, number: int, table: str, queue: str) -> float:
        found = self.connection.execute(sql.SQL(_SPAN).format(table=sql.Identifier(table))).fetchone()
        count, first, span = found or (0, 0, timedelta())
        there = self.broker.depth(queue)
        self.broker.empty(queue)
        if count != self.rows or there != self.rows or not span:
            raise Invalid(f"relay, {side}: {self.rows} rows, {count} marked, {there} messages: they should be the same")
        rate = float((count - first) / span.total_seconds())
        self.room.say(f"relay: round {number} of {self.room.rounds}, {side:<6} {rate:>7,.0f} rows/s")
        return rate

    def idle(self, number: int) -> list[float]:
        """Commit to publish in ms, one row at a time, at moments that keep no step with the relay's poll."""
        if number == 1:
            work_rows.clear(self.connection)
            self.stack.runner.start("relay")
            self.stack.runner.wait_healthy(30, "relay")
            self._one(30)  # the first waits for the relay to have begun
        found = []
        for _ in range(self.room.scaled(120, 100)):
            time.sleep(self.random.uniform(0.005, 0.055))
            found.append(self._one())
        self.room.say(f"relay: idle, {len(found)} commits, p95 {percentile(found, 0.95):.1f} ms to be published")
        return found

    def _one(self, patience: float = 5) -> float:
        job_id = work_rows.accept(self.connection, 1)[0]
        committed = time.perf_counter()
        message = self.broker.take(work_rows.QUEUE, patience)
        seen = time.perf_counter()
        if not message or str(job_id) not in message:
            raise Invalid(f"relay: the message of job {job_id} did not come within {patience:g} s; this did: {message}")
        return (seen - committed) * 1000

    def _value(self, query: str) -> bool:
        row = self.connection.execute(query).fetchone()
        return bool(row and row[0])
