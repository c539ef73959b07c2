"""Eager mode runs the whole way inline: real Postgres, real partner, no worker and no waiting."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from app.shared import memory
from app.shared.backend import broker
from app.shared.core import BrokerDown, Job
from app.shared.eager import NeverDone, eager

from billing import seed
from billing.settings import settings
from tests.ops.conftest import House


@dataclass
class Bank:
    """Payouts of a seeded tenant, and the payment provider's own account of them."""

    house: House
    partner: httpx.Client
    account: int

    def payout(self) -> Job:
        number = uuid4()
        self.house.rows(
            "INSERT INTO payouts (id, tenant_id, account_id, amount_cents, currency, reference)"
            " VALUES (%s, 'acme', %s, 700, 'EUR', %s)",
            number,
            self.account,
            str(number),
        )
        return self.house.accept("payout.send", args={"payout_id": str(number)}, key=f"acme:payout:{number}:1")

    def faults(self, *rules: dict[str, Any]) -> None:
        assert self.partner.put("/faults", json={"rules": rules}).is_success

    def charges(self, job: Job) -> int:
        found = self.partner.get("/ledger", params={"kind": "charge", "key": job.natural_key}).json()
        return len(found["effects"])


@pytest.fixture
def bank(house: House, partner_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    monkeypatch.setenv("PARTNER_URL", partner_url)
    settings.cache_clear()
    house.rows("DELETE FROM tenants")
    seeded = seed.seed(postgres_url, "tiny", partner_url=partner_url)
    with httpx.Client(base_url=partner_url, timeout=10) as client:
        client.delete("/faults")
        yield Bank(house, client, seeded.tenants["acme"].accounts[0])
        client.delete("/faults")


def test_a_job_runs_to_its_end_inline(bank: Bank) -> None:
    job = bank.payout()
    done = bank.house.eager.drain()
    assert (done.runs, done.skipped) == (1, 0.0)
    assert bank.house.look(job) == "succeeded"
    assert bank.charges(job) == 1


def test_retries_run_without_waiting_for_them(bank: Bank) -> None:
    bank.faults({"match": {"op": "charge"}, "calls": "1-2", "do": {"status": 503, "retry_after": 3600}})
    job = bank.payout()
    started = time.monotonic()
    done = bank.house.eager.drain()
    assert time.monotonic() - started < 30
    assert done.runs == 3
    assert done.skipped >= 7190
    assert bank.house.look(job) == "succeeded"
    assert bank.charges(job) == 1


def test_time_goes_no_further_than_it_is_told(bank: Bank) -> None:
    bank.faults({"match": {"op": "charge"}, "calls": "1", "do": {"status": 503, "retry_after": 3600}})
    job = bank.payout()
    assert bank.house.eager.drain(ahead=60).runs == 1
    assert bank.house.look(job) == "retrying"
    assert bank.house.eager.drain().runs == 1
    assert bank.house.look(job) == "succeeded"


def test_what_is_hopeless_ends_among_the_dead_letters(bank: Bank) -> None:
    bank.faults({"match": {"op": "charge"}, "do": {"status": 422}})
    job = bank.payout()
    assert bank.house.eager.drain().runs == 1
    assert bank.house.look(job) == "failed"
    bank.faults()
    bank.house.ops("requeue", "--all", "--yes")
    bank.house.eager.drain()
    assert bank.house.look(job) == "succeeded"
    assert bank.charges(job) == 1


def test_a_partner_that_stays_down_is_asked_five_times(bank: Bank) -> None:
    bank.faults({"match": {"op": "charge"}, "do": {"status": 500}})
    job = bank.payout()
    assert bank.house.eager.drain().runs == 5
    assert bank.house.rows("SELECT attempts FROM dead_letters") == [(5,)]
    assert bank.house.look(job, "failures") == 5


def test_the_broker_can_be_down_and_nothing_is_lost(house: House) -> None:
    job = house.accept()
    house.eager.broker.down = True
    with pytest.raises(BrokerDown):
        house.eager.drain()
    house.eager.broker.down = False
    house.eager.drain()
    assert house.look(job) == "succeeded"


def test_what_never_ends_is_stopped(house: House) -> None:
    for _ in range(3):
        house.accept()
    with pytest.raises(NeverDone):
        house.eager.drain(most=2)


def test_the_environment_is_put_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as around:  # undone before `house`, which has set BACKEND too
        around.setenv("BACKEND", "rq")
        settings.cache_clear()
        with eager():
            assert broker() is memory.the
        assert os.environ["BACKEND"] == "rq"
        assert broker() is not memory.the
