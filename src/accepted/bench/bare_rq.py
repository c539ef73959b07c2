"""RQ's queues by RQ's own client, JSON, a batch in one pipeline."""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accepted.bench.bare_jobs import noop


class Bare:
    """See `beside.Broker`."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, socket_timeout=60)

    def declare(self, queue: str) -> None:
        pass

    def publish(self, queue: str, job_ids: Sequence[str]) -> None:
        # No result is kept, as in the system: that saves the raw worker two commands a job.
        jobs = [Queue.prepare_data(noop, args=(job_id,), job_id=job_id, result_ttl=0) for job_id in job_ids]
        self._queue(queue).enqueue_many(jobs)

    def depth(self, queue: str) -> int:
        return int(self._queue(queue).count)

    def empty(self, queue: str) -> None:
        self._queue(queue).empty()  # type: ignore[no-untyped-call]

    def take(self, queue: str, seconds: float) -> str | None:
        found: Any = self.redis.blpop([f"rq:queue:{queue}"], timeout=seconds)
        return found[1].decode() if found else None

    def close(self) -> None:
        self.redis.close()

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self.redis, serializer=JSONSerializer)
