"""Writes events of jobs at a steady rate, by the clock: a job's row and its next event in one transaction, as the
system does with each step of progress. In a process of its own.
"""

import random
import time

import psycopg

from accepted.bench.aside import answer, told

_TELL = """
WITH changed AS (
    UPDATE jobs SET event_seq = event_seq + 1 WHERE id = %s RETURNING id, event_seq, tenant_id, state, percent, message
)
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, event_seq, tenant_id, state, percent, message FROM changed
"""


def write(database_url: str, job_ids: list[str], rate: float, seconds: float) -> tuple[int, float]:
    """How many it wrote, and the longest delay (ms) of one behind its time."""
    choice, late = random.Random(7), 0.0
    count = int(rate * seconds)
    with psycopg.connect(database_url, autocommit=True) as connection:
        began = time.perf_counter()
        for number in range(count):
            if (wait := began + number / rate - time.perf_counter()) > 0:
                time.sleep(wait)
            late = max(late, -wait)
            connection.execute(_TELL, (choice.choice(job_ids),))
    return count, late * 1000


if __name__ == "__main__":
    spec = told()
    written, late = write(spec["database"], spec["job_ids"], spec["rate"], spec["seconds"])
    answer({"written": written, "late": late})
