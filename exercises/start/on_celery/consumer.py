"""The consuming end in a worker's parent: what is not a message of ours is kept for somebody to look at, and never
looped. Celery would log it and throw it away."""

from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from celery.worker.consumer import Consumer as Celerys
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing import db

from ..shared import claims, dead_letters
from ..shared.core import Delivery, Exhausted, Failure, Refused, Undecodable
from . import messages, topology

log = structlog.get_logger(__name__)
MISSED = 0.5  # s, until a killed child is replaced for certain
PAUSE = 2  # s, between tries to write to a Postgres that is down; meanwhile the message stays unacknowledged


class Consumer(Celerys):  # type: ignore[misc]
    """`worker_consumer` of our workers."""

    class Blueprint(Celerys.Blueprint):  # type: ignore[misc]
        # Retries come due in Postgres, so there is no need for the 56 exchanges and queues of native delayed delivery.
        default_steps: ClassVar[list[str]] = [
            step for step in Celerys.Blueprint.default_steps if "delayed_delivery" not in step
        ]

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        # Celery hears of a child's death from the kernel, or misses it and looks after 5 s; till then its slot is idle.
        hub.call_repeatedly(MISSED, self.pool.maintain_pool)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            died = topology.died(message)
            try:
                delivery = messages.read(message)
                messages.clean(message, delivery)
            except Exception as error:  # an unforeseen one is about the message, too: it must not end the worker
                why = str(error) if isinstance(error, Undecodable) else type(error).__name__
                self.park(message, why)
                return
            if died:
                self._settle(message, lambda s: bury(s, delivery))
            else:
                handle(message)

        return on_message

    def park(self, message: Any, why: str) -> None:
        """To the dead letters, then acknowledged."""
        raw, queue = messages.raw_of(message), str((message.delivery_info or {}).get("routing_key") or "")[:100]
        log.error("message parked: undecodable", queue=queue, why=why)
        self._settle(message, lambda s: dead_letters.park_raw(s, raw, queue, f"undecodable: {why}"))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self.park(message, type(exc).__name__)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        self.park(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        self.park(message, "a task that nobody does here")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self.park(message, type(exc).__name__)

    def _settle(self, message: Any, write: Callable[[Session], None]) -> None:
        try:
            with db.unit() as s:
                write(s)
        except (db.DatabaseDown, DBAPIError) as down:
            log.warning("message waits for Postgres", why=type(down).__name__)
            self.timer.call_after(PAUSE, self._settle, (message, write))
            return
        finally:
            db.dispose()  # seldom needed, and children are forked from this process
        message.ack_log_error(log, self.connection_errors)


def bury(s: Session, delivery: Delivery) -> None:
    """A message of ours that RabbitMQ gave up on, because it came back time and again: counted as one more worker that
    its job killed. The claim made here is nobody's; its lease ends, and the reaper takes it from there."""
    try:
        with s.begin_nested():
            claims.claim(s, delivery.job_id)
        log.error("message was delivered too often; its job waits for a lease", job_id=str(delivery.job_id))
    except Refused as refused:
        log.info("dead message dropped", job_id=str(delivery.job_id), why=refused.why)
    except Exhausted as poison:
        failure = Failure("WorkerKilled", str(poison))
        dead_letters.park(s, poison.job, "it killed its worker", failure)
        log.error("job parked among the dead letters", job_id=str(delivery.job_id), why="it killed its worker")
