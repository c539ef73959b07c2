"""One tenant's work on a real Postgres, in eager mode: the broker is in memory, nothing waits, partners are real."""

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from app.shared import artifacts, claims, control, dead_letters, jobs, memory, outbox, partners, relay, retention
from app.shared.core import Claim, Failure, Job
from app.shared.eager import Eager, eager
from app.shared.ops import ops
from click.testing import CliRunner, Result

from billing import db
from billing.settings import settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class House:
    """Shorthand for the stories: accept, run, fail, look."""

    eager: Eager
    connection: psycopg.Connection[Any]
    made: list[Job] = field(default_factory=list)

    def new(self, kind: str = "noop", *, trace: str = TRACE, **more: Any) -> Job:
        parent = f"00-{trace}-00f067aa0ba902b7-01"
        args = more.pop("args", {"n": 1})
        key = more.pop("key", f"acme:{kind}:{secrets.token_hex(6)}:1")
        return jobs.new(kind, "acme", key, args, aggregate="acme:a", trace_id=trace, traceparent=parent, **more)

    def accept(self, kind: str = "noop", **more: Any) -> Job:
        job = self.new(kind, **more)
        with db.unit() as s:
            assert outbox.add(s, job)
        return job

    def publish(self) -> None:
        while relay.run_once():
            pass

    def claim(self, job: Job) -> Claim:
        with db.unit() as s:
            return claims.claim(s, job.id)

    def park(self, job: Job, failure: Failure | None = None, reason: str = "not worth a retry") -> Job:
        """A run of the job fails for good."""
        claim = self.claim(job)
        with db.unit() as s:
            dead_letters.park(s, claim.job, reason, failure or Failure("HTTP 410", "gone", 410), fence=claim.fence)
        return job

    def dead(self, kind: str = "noop", failure: Failure | None = None, **more: Any) -> Job:
        """A job that was accepted and given up."""
        return self.park(self.accept(kind, **more), failure)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: object) -> Any:
        return self.rows(statement, *values)[0][0]

    def look(self, job: Job, column: str = "state") -> Any:
        return self.one(f"SELECT {column} FROM jobs WHERE id = %s", job.id)

    def ids(self) -> set[object]:
        """Of the jobs that there are."""
        return {id for (id,) in self.rows("SELECT id FROM jobs")}

    def age(self, table: str, column: str, interval: str) -> None:
        self.rows(f"UPDATE {table} SET {column} = {column} - %s::interval", interval)

    def until_somebody_waits_for_a_lock(self) -> None:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        end = time.monotonic() + 10
        while self.one(waiting) == 0:
            assert time.monotonic() < end, "nobody waited for the lock within 10 s"
            time.sleep(0.01)

    def audit(self) -> list[tuple[str, str, str]]:
        return [(r[0], r[1], r[2]) for r in self.rows("SELECT actor, action, target FROM audit ORDER BY id")]

    def ops(self, *arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(ops, list(arguments))
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result

    def ops_json(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        found = json.loads(self.ops(*arguments, "--json", exit_code=exit_code).stdout)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> Iterator[House]:
    for name in ("LEASE", "RETRY_BASE", "RETRY_CAP", "MAX_ATTEMPTS", "RESULT_TTL", "LOG_FORMAT", "PROCESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("OBJECT_STORE_URL", "memory://")
    monkeypatch.setenv("SECRET_KEY", secrets.token_urlsafe(32))
    monkeypatch.setattr(db, "_pool_size", 4)
    monkeypatch.setattr(memory, "the", memory.MemoryBroker())
    monkeypatch.setattr(relay, "_next_look", 0.0)
    monkeypatch.setattr(control, "_seen", None)
    monkeypatch.setattr(retention, "_swept_at", None)
    db.dispose()
    settings.cache_clear()
    with eager() as running, psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("INSERT INTO tenants VALUES ('acme', 'Acme', 'not a hash')")
        yield House(running, connection)
    partners.close()
    for store in artifacts._stores.values():
        if (close := getattr(store, "close", None)) is not None:
            close()
    artifacts._stores.clear()
    db.dispose()
    settings.cache_clear()
