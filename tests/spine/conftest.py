"""The spine before a real Postgres: one tenant, a broker in memory or RQ on a real Redis, and ways to look."""

import os
import secrets
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from app.shared import backend, core, jobs, leases, memory, outbox, relay, scheduler
from app.shared.core import Job
from app.shared.tasks import HANDLERS

from accepted.stack import processes
from billing import db
from billing.settings import settings

ROOT = Path(__file__).resolve().parents[2]
ACTORS = Path(__file__).with_name("actors.py")


def _until(condition: Callable[[], Any], seconds: float = 10, every: float = 0.01) -> Any:
    """Polls until `condition()` is true, and returns what it returned. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {getattr(condition, '__name__', condition)}"
        time.sleep(every)
    return found


@pytest.fixture
def until() -> Callable[..., Any]:
    return _until


@contextmanager
def relay_and_scheduler() -> Iterator[None]:
    """Both at work beside the test, in threads of its own process."""
    stop = threading.Event()
    threads = [threading.Thread(target=loop, args=(stop,)) for loop in (relay.loop, scheduler.loop)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join(15)


@dataclass
class Spine:
    """The database of one test, and shorthand for its stories."""

    url: str
    connections: list[psycopg.Connection[Any]] = field(default_factory=list)

    def new(self, kind: str = "noop", aggregate: str = "acme:a", key: str | None = None, **more: Any) -> Job:
        return jobs.new(
            kind,
            "acme",
            key or f"acme:{kind}:{secrets.token_hex(6)}:1",
            {"n": 1},
            aggregate=aggregate,
            trace_id="0" * 31 + "1",
            traceparent="00-" + "0" * 31 + "1-0000000000000001-01",
            **more,
        )

    def accept(self, *wanted: Job) -> list[Job]:
        """Writes jobs as a route would: in one transaction."""
        with db.unit() as s:
            outbox.add_many(s, wanted)
        return list(wanted)

    def one_job(self, kind: str = "noop", **more: Any) -> Job:
        return self.accept(self.new(kind, **more))[0]

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.connections:
            self.connections.append(psycopg.connect(self.url, autocommit=True))
        cursor = self.connections[0].execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: object) -> Any:
        return self.rows(statement, *values)[0][0]

    def look(self, job: Job, column: str = "state") -> Any:
        return self.one(f"SELECT {column} FROM jobs WHERE id = %s", job.id)

    def events(self, job: Job) -> list[tuple[int, str]]:
        return self.rows("SELECT seq, state FROM job_events WHERE job_id = %s ORDER BY seq", job.id)

    def waiting(self) -> int:
        """Outbox rows that wait."""
        return int(self.one("SELECT count(*) FROM outbox WHERE published_at IS NULL"))

    def end_lease(self, job: Job) -> None:
        """As if its worker had been silent for longer than the lease."""
        self.rows("UPDATE jobs SET lease_until = now() - interval '1 ms' WHERE id = %s", job.id)

    def age(self, seconds: float) -> None:
        """Everything on record happened so much earlier."""
        by = f"interval '{seconds} s'"
        self.rows(f"UPDATE outbox SET published_at = published_at - {by}, created_at = created_at - {by}")
        self.rows(
            f"UPDATE jobs SET started_at = started_at - {by}, finished_at = finished_at - {by},"
            f" accepted_at = accepted_at - {by}, due_at = due_at - {by}, lease_until = lease_until - {by}"
        )


def _forget_process_state() -> None:
    if (engine := db._engines.get(os.getpid())) is not None:
        # A lease may just be renewed: what comes back to a pool that is disposed of stays open.
        processes.until(lambda: engine.pool.checkedout() == 0, 5)  # type: ignore[attr-defined]
    db.dispose()
    settings.cache_clear()
    jobs.queues_json.cache_clear()
    if (rq := sys.modules.get("app.on_rq.broker")) is not None:
        rq._redis.cache_clear()
        rq.queue.cache_clear()


@pytest.fixture
def spine(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> Iterator[Spine]:
    """This process as one of the tree's, with the broker in memory, a lease of 10 s, and many connections."""
    for name in ("LEASE", "TIME_BOX", "RETRY_BASE", "RETRY_CAP", "MAX_ATTEMPTS", "MAX_CRASHES", "RELAY_BATCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("BACKEND", "memory")
    monkeypatch.setenv("SECRET_KEY", secrets.token_urlsafe(32))
    monkeypatch.setattr(db, "_pool_size", 30)
    monkeypatch.setattr(memory, "the", memory.MemoryBroker())
    monkeypatch.setattr(relay, "_next_look", 0.0)
    monkeypatch.setattr(leases, "_renewer", None)
    _forget_process_state()
    found = Spine(postgres_url)
    found.rows("INSERT INTO tenants VALUES ('acme', 'Acme', 'not a hash')")
    yield found
    for connection in found.connections:
        connection.close()
    _forget_process_state()


@pytest.fixture
def on_rq(spine: Spine, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> core.Broker:
    """The same with RQ on a real, empty Redis."""
    monkeypatch.setenv("BACKEND", "rq")
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("BROKER_URL", redis_url)
    _forget_process_state()
    return backend.broker()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """configure(LEASE=2): settings of this process, and of those it starts."""

    def set_(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        settings.cache_clear()

    return set_


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[core.Claim], Any]], None]:
    """handler(f): what a `noop` does."""
    return lambda f: monkeypatch.setitem(HANDLERS, "noop", f)


@dataclass
class Actor:
    """A real process that says where it is, and goes on when told. It may be killed there."""

    process: subprocess.Popen[bytes]
    told: int
    log: Path
    buffer: bytes = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, seconds: float = 120) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            assert chunk, f"it said nothing more ({'ended' if ready else f'within {seconds} s'}): {self._last_words()}"
            self.buffer += chunk
        first, _, self.buffer = self.buffer.partition(b"\n")
        return first.decode()

    def go_on(self) -> None:
        os.write(self.told, b"g")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]


@pytest.fixture
def actor(spine: Spine, tmp_path: Path) -> Iterator[Callable[..., Actor]]:
    """actor("name", "argument", …) starts a function of actors.py; command=[…] something else."""
    started: list[Actor] = []

    def start(*arguments: str, command: list[str] | None = None) -> Actor:
        hear, tell = os.pipe()
        log = tmp_path / f"actor-{len(started)}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, *(command or [str(ACTORS), *arguments])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=os.environ | {"GO_ON": str(hear), "PROCESS": "actor"},
                pass_fds=[hear],
                start_new_session=True,
            )
        os.close(hear)
        started.append(Actor(process, tell, log))
        return started[-1]

    yield start
    for one in started:
        try:
            os.killpg(one.pid, 9)
        except ProcessLookupError:
            pass
        one.process.wait(10)
        assert one.process.stdout is not None
        one.process.stdout.close()
        os.close(one.told)
