"""The rate of a bare queue that is filled while its workers empty it."""

import time
from collections.abc import Callable
from uuid import uuid4

from accepted.bench import work_rows
from accepted.bench.beside import Broker
from accepted.bench.measure import Invalid
from accepted.stack import processes

PATIENCE = 120.0  # s


def drained(broker: Broker, queue: str, done: Callable[[], int], count: int) -> float:
    """Jobs/s, published in batches of 500: from before the first until `done()` has grown by `count`.

    Raises Invalid where it grew by anything else.
    """
    before = done()
    began = time.perf_counter()
    for at in range(0, count, work_rows.BATCH):
        few = range(at, min(at + work_rows.BATCH, count))
        broker.publish(queue, [str(uuid4()) for _ in few])
    processes.until(lambda: done() - before >= count, PATIENCE, pause=0.01)
    seconds = time.perf_counter() - began
    if done() - before != count:
        raise Invalid(f"of {count} raw jobs the workers counted {done() - before}")
    return count / seconds
