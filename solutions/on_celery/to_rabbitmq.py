"""The way to RabbitMQ: one connection a process, and publisher confirms that are waited for once a batch."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from os import getpid
from typing import Any, TypeVar, cast

import amqp
from amqp.exceptions import AMQPError, ChannelError, NotFound
from kombu.utils.url import parse_url

from ..shared.core import BrokerDown, Envelope, JobId
from . import messages, topology
from .confirms import Press, Sheet
from .topology import MARK, QUEUES

# Seconds. Who calls holds a transaction open (its idle limit is PARTNER_TIMEOUT + 2), or answers a request.
CONNECT, ANSWER = 2, 2
LOOKS = (0, 0.01, 0.05, 0.2, 0.5)  # pauses before each look at the mark, while somebody else has it

T = TypeVar("T")


def connect(url: str) -> amqp.Connection:
    """An open connection. Heartbeats are left to those who listen: this one speaks twice a second, and hears then."""
    parts = parse_url(url)
    connection = amqp.Connection(
        f"{parts['hostname'] or 'localhost'}:{parts['port'] or (5671 if url.startswith('amqps') else 5672)}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        ssl=url.startswith("amqps"),
        connect_timeout=CONNECT,
        read_timeout=ANSWER,
        write_timeout=ANSWER,
        heartbeat=0,
    )
    try:
        connection.connect()
    except BaseException:
        connection.collect()
        raise
    return connection


class RabbitMQ:
    """See `broker.Line`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.RLock()
        self._pid = getpid()
        self._forget()

    def _forget(self) -> None:
        self._connection: amqp.Connection | None = None
        self._desk: Any = None  # the channel for everything but publishing: an error closes its channel
        self._press: Press | None = None

    def publish(self, envelopes: Sequence[Envelope]) -> set[JobId]:
        """Left out of what it returns: what no queue took, what the broker refused, what it kept silent about."""
        if not envelopes:
            return set()
        sheets = [_sheet(envelope) for envelope in envelopes]
        with self._lock, self._reached():
            if self._press is None:
                connection = self._connected()
                with connection.channel() as channel:
                    topology.declare(channel)
                self._press = Press(connection)
            bad = self._press.publish(sheets)
            if bad:  # queues that are gone are declared again; answers that come too late find nobody
                self._hang_up()
        return {e.job_id for e in envelopes} - {e.job_id for e, s in zip(envelopes, sheets, strict=True) if s.id in bad}

    def depth(self, queue: str) -> int:
        return self._ask(lambda desk: int(desk.queue_declare(queue, passive=True).message_count), 0)

    def purge(self, queue: str) -> int:
        return self._ask(lambda desk: int(desk.queue_purge(queue)), 0)

    def epoch(self) -> str | None:
        """The mark is a message, looked at and put back: it goes with a reset, a new disk, or a deleted vhost.

        Somebody else may be looking at it at this very moment: that takes them a millisecond, and as long as their line
        to the broker when that is slow. Whoever takes that for a broker that was wiped publishes all of it again.
        """
        for pause in LOOKS:
            time.sleep(pause)
            found = self._ask(_look_at_mark, cast("str | _Mark", _Mark.MISSING))
            if found is not _Mark.TAKEN:
                return None if found is _Mark.MISSING else found
        return None

    def mark_epoch(self, epoch: str) -> None:
        with self._lock, self._reached():
            connection, self._press = (
                self._connected(),
                None,
            )  # who lost the mark lost the queues: they are declared again
            with connection.channel() as channel:
                topology.declare_mark(channel)
            press = Press(connection)
            if press.publish([Sheet(epoch, MARK, epoch.encode(), {})]):
                raise TimeoutError("the mark was not confirmed")
            press.channel.close()

    def close(self) -> None:
        with self._lock:
            self._hang_up()

    def _connected(self) -> amqp.Connection:
        if self._pid != getpid():  # a parent's socket is not ours
            self._forget()
            self._pid = getpid()
        if self._connection is None:
            self._connection = connect(self.url)
        return self._connection

    def _ask(self, question: Callable[[Any], T], without_a_queue: T) -> T:
        with self._lock:
            kept = self._pid == getpid() and self._connection is not None
            try:
                return self._ask_once(question, without_a_queue)
            except BrokerDown as down:
                # A connection that was kept may have been cut long ago. One that hangs is not asked twice.
                if not kept or isinstance(down.__cause__, TimeoutError):
                    raise
            return self._ask_once(question, without_a_queue)

    def _ask_once(self, question: Callable[[Any], T], without_a_queue: T) -> T:
        with self._reached():
            connection = self._connected()
            if self._desk is None:
                self._desk = connection.channel()
            try:
                return question(self._desk)
            except NotFound:
                self._desk = None
                return without_a_queue

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (AMQPError, OSError) as error:
            self._hang_up()
            said = "refused" if isinstance(error, ChannelError) else "did not answer"
            raise BrokerDown(f"RabbitMQ {said}: {type(error).__name__}: {error}") from error
        except BaseException:  # a time-out of the caller's, say: nobody knows what is still under way
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        connection, mine = self._connection, self._pid == getpid()
        self._forget()
        if connection is not None and mine:
            connection.collect()  # closes the socket and says nothing: whoever hangs would not answer


class _Mark(Enum):
    MISSING = "there is no queue for it"
    TAKEN = "its queue is empty: somebody looks at it"


def _look_at_mark(desk: Any) -> str | _Mark:
    message = desk.basic_get(MARK, no_ack=False)
    if message is None:
        return _Mark.TAKEN
    desk.basic_reject(message.delivery_tag, requeue=True)
    return messages.raw_of(message).decode(errors="replace")


def _sheet(envelope: Envelope) -> Sheet:
    message_id = messages.new_id(envelope)
    headers = messages.headers(message_id, envelope.job_id, envelope.kind, envelope.traceparent)
    return Sheet(message_id, QUEUES[envelope.kind], messages.body(envelope), headers)
