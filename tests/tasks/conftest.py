"""A small billing system with a real database, partner and object store, and this process as its worker."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from app.shared import artifacts, claims, jobs, outbox, partners, progress
from app.shared.core import Claim, Job
from app.shared.progress import JobView
from sqlalchemy import text

from billing import seed
from billing.db import dispose, unit
from billing.settings import settings


def until(condition: Callable[[], Any], what: str, within: float = 30) -> Any:
    """The first truthy answer of `condition`; fails, saying `what` was waited for, after `within` seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"after {within} s still waiting for {what}")


@dataclass
class World:
    seeded: seed.Summary
    partner: httpx.Client
    env: dict[str, str]

    def job(self, kind: str, args: Mapping[str, Any], key: str, aggregate: str = "", tenant: str = "acme") -> Job:
        new = jobs.new(
            kind,
            tenant,
            f"{tenant}:{key}",
            args,
            aggregate=f"{tenant}:{aggregate or key}",
            trace_id="a" * 32,
            traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        )
        with unit() as s:
            assert outbox.add(s, new)
        return self.read(new.id)

    def read(self, job_id: UUID) -> Job:
        with unit() as s:
            found = jobs.get(s, job_id)
        assert found is not None
        return found

    def view(self, job_id: UUID) -> JobView:
        with unit() as s:
            found = progress.read(s, job_id)
        assert found is not None
        return found

    def claim(self, job: Job) -> Claim:
        with unit() as s:
            return claims.claim(s, job.id)

    def succeed(self, claim: Claim) -> None:
        with unit() as s:
            assert jobs.set_state(s, claim.job.id, "succeeded", percent=100, extras={"finished": True})

    def taken_over(self, claim: Claim) -> Claim:
        """The worker of `claim` is dead or frozen: its lease ends, the reaper takes the job, another claims it."""
        self.sql("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = :id", id=claim.job.id)
        with unit() as s:
            assert claim.job.id in [job.id for job in claims.expired(s)]
        return self.claim(claim.job)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with unit() as s:
            found = s.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []

    def given_back(self, claim: Claim) -> Claim:
        """The job gave itself back, came due, and is claimed again."""
        with unit() as s:
            claims.release(s, claim, "to be continued", 0)
        with unit() as s:
            assert jobs.set_state(s, claim.job.id, "queued")
        return self.claim(claim.job)

    def report(self, form: str = "csv", tenant: str = "acme") -> Job:
        report = uuid4()
        first, last = self.seeded.period_from, self.seeded.period_to
        self.sql(
            "INSERT INTO reports (id, tenant_id, format, period_from, period_to) VALUES (:id, :t, :f, :a, :b)",
            id=report, t=tenant, f=form, a=first, b=last,
        )  # fmt: skip
        return self.job("report.export", {"report_id": str(report)}, f"report:{report}:1", tenant=tenant)

    def faults(self, *rules: dict[str, Any]) -> None:
        self.partner.put("/faults", json={"rules": rules}).raise_for_status()

    def effects(self, key: str) -> list[dict[str, Any]]:
        return self.partner.get("/ledger", params={"key": key}).raise_for_status().json()["effects"]

    def calls(self, key: str) -> list[dict[str, Any]]:
        return self.partner.get("/ledger", params={"key": key}).raise_for_status().json()["calls"]


@pytest.fixture
def scale() -> str:
    return "tiny"


@pytest.fixture
def world(
    app_environment: None, postgres_url: str, redis_url: str, partner_url: str, object_store_url: str, scale: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:  # fmt: skip
    env = {"PARTNER_URL": partner_url, "OBJECT_STORE_URL": object_store_url, "BACKEND": "memory"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    env |= {"DATABASE_URL": postgres_url, "SECRET_KEY": settings().secret(), "REDIS_URL": redis_url}
    seeded = seed.seed(postgres_url, scale, partner_url=partner_url)
    with httpx.Client(base_url=partner_url, trust_env=False) as client:
        yield World(seeded, client, env)
        client.delete("/faults").raise_for_status()
    partners.close()
    for store in artifacts._stores.values():
        store.close()
    artifacts._stores.clear()
    dispose()
