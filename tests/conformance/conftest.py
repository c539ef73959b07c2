"""One driver for each implementation of the broker port: the consuming side, which libraries keep to themselves, and
the ways in which a broker fails. A backend joins the suite by an entry in DRIVERS."""

import json
import os
import socket
import sys
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import pytest
from app.shared import backend, jobs, memory
from app.shared.core import Broker

from billing.settings import settings
from tests.conformance.celery_drivers import CeleryRabbitMQ, CeleryRedis, Celerys


class Driver(Protocol):
    broker: Broker
    redelivers: bool  # gives what a dead consumer held to another by itself; else the search for lost messages does
    vocabulary: frozenset[bytes]  # every word that may lie on the broker besides ids, kinds and traceparents

    def take(self, queue: str) -> tuple[Any, bytes] | None:
        """The next message (its tag, its bytes), held until it is acknowledged; None where none waits."""

    def ack(self, tag: Any) -> None: ...

    def die(self) -> None:
        """The consumer dies with all that it holds."""

    def put(self, queue: str, raw: bytes) -> None:
        """Somebody else puts bytes on a queue."""

    def forgeries(self) -> Mapping[str, bytes]:
        """Messages that are well-formed for the library, and not ours."""

    def everything(self) -> bytes:
        """All that lies on the broker, as it could be read there."""

    def wipe(self) -> None: ...

    def down(self) -> None: ...

    def up(self) -> None: ...


class Memory:
    redelivers = True
    vocabulary = frozenset({b"job", b"kind", b"traceparent"})

    def __init__(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        monkeypatch.setenv("BACKEND", "memory")
        monkeypatch.setattr(memory, "the", memory.MemoryBroker())
        settings.cache_clear()
        self.broker: Broker = backend.broker()
        self.real = memory.the

    def take(self, queue: str) -> tuple[Any, bytes] | None:
        return self.real.receive(queue)

    def ack(self, tag: Any) -> None:
        self.real.ack(tag)

    def die(self) -> None:
        self.real.recover()

    def put(self, queue: str, raw: bytes) -> None:
        self.real.put(queue, raw)

    def forgeries(self) -> Mapping[str, bytes]:
        return {
            "another kind": json.dumps({"job_id": str(uuid4()), "kind": "fax.send"}).encode(),
            "a kind that is none": json.dumps({"job_id": str(uuid4()), "kind": ["noop"]}).encode(),
            "no id": json.dumps({"job_id": "7", "kind": "noop"}).encode(),
            "an id that is a number": json.dumps({"job_id": 7, "kind": "noop"}).encode(),
        }

    def everything(self) -> bytes:
        return b"\n".join(raw for queue in self.real.waiting.values() for raw in queue)

    def wipe(self) -> None:
        self.real.wipe()

    def down(self) -> None:
        self.real.down = True

    def up(self) -> None:
        self.real.down = False


@dataclass
class Rq:
    monkeypatch: pytest.MonkeyPatch
    request: pytest.FixtureRequest
    redelivers = False
    vocabulary = frozenset(
        # where things are
        b"rq queue queues job accepted epoch app worker perform emails payouts reports webhooks noops"
        # the fields of RQ's hash, and the job's state there
        b" origin created enqueued description data timeout result ttl failure status queued meta last heartbeat"
        b" started ended name success callback stopped dependency ids retries left webhooks exc info"
        b" traceparent worker allow dependencies group id null none".split()
    )
    url: str = ""

    def __post_init__(self) -> None:
        self.url = self.request.getfixturevalue("redis_url")
        self.monkeypatch.setenv("BACKEND", "rq")
        self._point_to(self.url)
        self.broker: Broker = backend.broker()

    def _point_to(self, url: str) -> None:
        self.monkeypatch.setenv("BROKER_URL", url)
        settings.cache_clear()
        backend.broker()
        module = sys.modules["app.on_rq.broker"]
        module._redis.cache_clear()
        module.queue.cache_clear()

    @property
    def redis(self) -> Any:
        return sys.modules["app.on_rq.broker"]._redis()

    def take(self, queue: str) -> tuple[Any, bytes] | None:
        from app.on_rq.worker import Message
        from rq import Queue
        from rq.serializers import JSONSerializer

        options = {"connection": self.redis, "job_class": Message, "serializer": JSONSerializer}
        # Two queues, as most workers have: RQ then pops, and keeps no list of what is in transit.
        queues = [Queue(name, connection=self.redis, serializer=JSONSerializer) for name in (queue, "none")]
        taken = Queue.dequeue_any(queues, None, **options)
        return None if taken is None else (taken[0], taken[0].data)

    def ack(self, tag: Any) -> None:
        tag.delete()

    def die(self) -> None:
        """What it had popped is gone."""

    def put(self, queue: str, raw: bytes) -> None:
        id_ = uuid4().hex
        fields = {"data": zlib.compress(raw), "origin": queue, "status": "queued"}
        self.redis.hset(f"rq:job:{id_}", mapping=fields)
        self.redis.rpush(f"rq:queue:{queue}", id_)

    def forgeries(self) -> Mapping[str, bytes]:
        ours, id_ = "app.on_rq.worker.perform", str(uuid4())

        def call(function: Any, *arguments: Any) -> bytes:
            return json.dumps([function, None, list(arguments), {}]).encode()

        return {
            "another function": call("os.system", id_, "noop"),
            "another function of ours": call("app.shared.ops.purge", id_, "noop"),
            "a function that is none": call(None, id_, "noop"),
            "another kind": call(ours, id_, "fax.send"),
            "a kind that is none": call(ours, id_, ["noop"]),
            "no id": call(ours, "7", "noop"),
            "an id that is a number": call(ours, 7, "noop"),
            "too many arguments": call(ours, id_, "noop", "rm -rf"),
            "too few": call(ours, id_),
        }

    def everything(self) -> bytes:
        found = []
        for key in self.redis.scan_iter():
            found.append(key)
            match self.redis.type(key):
                case b"hash":
                    for name, value in self.redis.hgetall(key).items():
                        found += [name, zlib.decompress(value) if name == b"data" else value]
                case b"list":
                    found += self.redis.lrange(key, 0, -1)
                case b"set":
                    found += self.redis.smembers(key)
                case b"string":
                    found.append(self.redis.get(key))
                case other:
                    raise AssertionError(f"{key!r} is a {other!r}")
        return b"\n".join(found)

    def wipe(self) -> None:
        self.redis.flushdb()

    def down(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._point_to(f"redis://127.0.0.1:{free.getsockname()[1]}/0")

    def up(self) -> None:
        self._point_to(self.url)


DRIVERS = {"memory": Memory, "rq": Rq, "celery-redis": CeleryRedis, "celery-rabbitmq": CeleryRabbitMQ}


@pytest.fixture(params=list(DRIVERS))
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    jobs.queues_json.cache_clear()
    driver = DRIVERS[request.param](monkeypatch, request)
    yield driver
    if isinstance(driver, Celerys):
        driver.close()
    settings.cache_clear()
    jobs.queues_json.cache_clear()
    if (rq := sys.modules.get("app.on_rq.broker")) is not None:
        rq._redis.cache_clear()
        rq.queue.cache_clear()


@pytest.fixture
def broker(driver: Driver) -> Broker:
    return driver.broker


# -- the table of `make conformance`


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One row for each promise, one column for each implementation."""
    if not os.environ.get("CONFORMANCE_TABLE"):
        return
    rows: dict[str, dict[str, list[str]]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            test, _, parameters = report.nodeid.rpartition("::")[2].rstrip("]").partition("[")
            column = next((name for name in sorted(DRIVERS, key=len, reverse=True) if name in parameters), None)
            if column and (report.when == "call" or outcome != "passed"):
                promise = test.removeprefix("test_").replace("_", " ")
                rows.setdefault(promise, {}).setdefault(column, []).append(outcome)
    terminalreporter.write_line("")
    heads = "  ".join(f"{name:>15}" for name in DRIVERS)
    terminalreporter.write_line(f"{'':<76}{heads}")
    for promise, found in rows.items():
        cells = [found.get(name, ["missing"]) for name in DRIVERS]
        words = [("pass" if set(cell) == {"passed"} else next(o for o in cell if o != "passed")) for cell in cells]
        many = [f" ({len(cell)})" if len(cell) > 1 else "" for cell in cells]
        row = "  ".join(f"{word + n:>15}" for word, n in zip(words, many, strict=True))
        terminalreporter.write_line(f"{textwrap.shorten(promise, 74, placeholder=' …'):<76}{row}")
