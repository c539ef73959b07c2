"""Celery's queues on Redis by kombu's own client, a batch in one pipeline."""

import base64
import json
from collections.abc import Sequence

from kombu import Connection, Producer
from redis import Redis

from accepted.bench import bare_message


class Bare:
    """See `beside.Broker`."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, socket_timeout=60)
        self.connection = Connection(url)
        self.producer = Producer(self.connection.default_channel, auto_declare=False)

    def declare(self, queue: str) -> None:
        pass  # a list is there once something lies in it

    def publish(self, queue: str, job_ids: Sequence[str]) -> None:
        with self.producer.batch(max_size=len(job_ids)):
            for job_id in job_ids:
                self.producer.publish(
                    bare_message.body(job_id),
                    exchange="",
                    routing_key=queue,
                    content_type=bare_message.TYPE,
                    content_encoding=bare_message.ENCODING,
                    headers=bare_message.headers(job_id),
                    correlation_id=job_id,
                    retry=False,
                )

    def depth(self, queue: str) -> int:
        return int(self.redis.llen(queue))

    def empty(self, queue: str) -> None:
        self.redis.delete(queue)

    def take(self, queue: str, seconds: float) -> str | None:
        found = self.redis.brpop([queue], timeout=seconds)
        if not found:
            return None
        body: str = json.loads(found[1])["body"]
        return base64.b64decode(body).decode()

    def close(self) -> None:
        self.connection.release()
        self.redis.close()
