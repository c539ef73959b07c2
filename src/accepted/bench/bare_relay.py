"""The baseline of `relay`: the shortest loop that carries outbox rows to the broker without losing one.

Claim five hundred with SKIP LOCKED, publish them in the fastest way that the library has (RQ: `enqueue_many`; Celery on
Redis: `Producer.batch`; RabbitMQ: one wait for the confirms of all), mark, commit. No order, no pauses, no epoch of the
broker, no trace, no row set aside. The table holds what the loop needs and no more.
"""

import psycopg

from accepted.bench import beside
from accepted.bench.aside import answer, told

TABLE = """
CREATE TABLE IF NOT EXISTS bare_rows (id bigserial PRIMARY KEY, job_id uuid NOT NULL, published_at timestamptz);
CREATE INDEX IF NOT EXISTS bare_rows_unpublished ON bare_rows (id) WHERE published_at IS NULL;
"""
FILL = "INSERT INTO bare_rows (job_id) SELECT gen_random_uuid() FROM generate_series(1, %s)"
QUEUE = "bare"

CLAIM = """
SELECT id, job_id FROM bare_rows WHERE published_at IS NULL ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
MARK = "UPDATE bare_rows SET published_at = statement_timestamp() WHERE id = ANY(%s)"


def carry(database_url: str, broker: beside.Broker) -> int:
    """Publishes all there is; returns how many rows it was."""
    carried = 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        while True:
            with connection.transaction():
                rows = connection.execute(CLAIM).fetchall()
                if not rows:
                    return carried
                broker.publish(QUEUE, [str(job_id) for _, job_id in rows])
                connection.execute(MARK, ([row_id for row_id, _ in rows],))
            carried += len(rows)


if __name__ == "__main__":
    spec = told()
    answer({"carried": carry(spec["database"], beside.broker(spec["backend"])(spec["broker"]))})
