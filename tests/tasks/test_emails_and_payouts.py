"""email.send and payout.send: one mail, one charge, whatever happens in between."""

import time
from uuid import uuid4

import pytest
from app.shared import jobs
from app.shared.core import Claim, LostLease, NotYet, PartnerError
from app.shared.tasks import HANDLERS

from billing.db import unit

from .conftest import World


def email(world: World) -> Claim:
    invoice = world.seeded.tenants["acme"].invoices[0]
    return world.claim(world.job("email.send", {"invoice_id": invoice, "version": 1}, f"email:{invoice}:{uuid4()}"))


def payout(world: World, account: int | None = None) -> Claim:
    return world.claim(payout_job(world, account))


def payout_job(world: World, account: int | None = None):  # type: ignore[no-untyped-def]
    account = account or world.seeded.tenants["acme"].accounts[0]
    payout = uuid4()
    world.sql(
        "INSERT INTO payouts (id, tenant_id, account_id, amount_cents, currency, reference)"
        " SELECT :id, 'acme', id, 12500, currency, :ref FROM payout_accounts WHERE id = :account",
        id=payout, ref=str(payout), account=account,
    )  # fmt: skip
    return world.job("payout.send", {"payout_id": str(payout)}, f"payout:{payout}:1", f"account:{account}")


def test_a_mail_goes_out_once_and_is_asked_for_first(world: World) -> None:
    claim = email(world)
    result = HANDLERS["email.send"](claim)
    assert [call["op"] for call in world.calls(claim.job.natural_key)] == ["lookup", "email"]
    (sent,) = world.effects(claim.job.natural_key)
    assert result["provider_id"] == sent["id"]


def test_a_mail_whose_answer_was_lost_is_found_and_not_sent_again(world: World) -> None:
    claim = email(world)
    world.faults({"match": {"op": "email"}, "calls": 1, "do": {"accept_then_drop": True}})
    with pytest.raises(PartnerError):
        HANDLERS["email.send"](claim)
    assert [call["op"] for call in world.calls(claim.job.natural_key)] == ["lookup", "email"]
    HANDLERS["email.send"](world.taken_over(claim))
    assert [call["op"] for call in world.calls(claim.job.natural_key)] == ["lookup", "email", "lookup"]
    assert len(world.effects(claim.job.natural_key)) == 1


def test_a_worker_that_was_frozen_past_its_lease_does_not_send(world: World) -> None:
    claim = email(world)
    claim.lease_until = time.monotonic()
    with pytest.raises(LostLease):
        HANDLERS["email.send"](claim)
    assert world.effects(claim.job.natural_key) == []
    HANDLERS["email.send"](world.taken_over(claim))
    assert len(world.effects(claim.job.natural_key)) == 1


def test_a_payout_is_charged_once_and_knows_its_charge(world: World) -> None:
    claim = payout(world)
    world.faults({"match": {"op": "charge"}, "calls": 1, "do": {"accept_then_drop": True}})
    with pytest.raises(PartnerError):
        HANDLERS["payout.send"](claim)
    HANDLERS["payout.send"](world.taken_over(claim))
    (charge,) = world.effects(claim.job.natural_key)
    assert [call["idempotency_key"] for call in world.calls(claim.job.natural_key)] == [claim.job.natural_key] * 2
    (row,) = world.sql("SELECT provider_id FROM payouts WHERE id = :id", id=claim.job.args["payout_id"])
    assert row.provider_id == charge["id"]


def test_a_payout_waits_for_its_predecessor_on_the_same_account_and_for_no_other(world: World) -> None:
    first, second = payout(world), payout(world)
    other = payout(world, world.seeded.tenants["acme"].accounts[1])
    with pytest.raises(NotYet, match="predecessor"):
        HANDLERS["payout.send"](second)
    assert world.calls(second.job.natural_key) == []
    HANDLERS["payout.send"](other)
    HANDLERS["payout.send"](first)
    world.succeed(first)
    HANDLERS["payout.send"](second)
    assert len(world.effects(second.job.natural_key)) == 1


def test_a_predecessor_that_failed_for_good_holds_up_nobody(world: World) -> None:
    first, second = payout(world), payout(world)
    with unit() as s:
        assert jobs.set_state(s, first.job.id, "failed", extras={"finished": True})
    HANDLERS["payout.send"](second)
    assert len(world.effects(second.job.natural_key)) == 1


def test_a_payout_to_an_account_that_is_gone_is_not_tried_again(world: World) -> None:
    from app.shared.failures import failure_of

    job = world.job("payout.send", {"payout_id": str(uuid4())}, "payout:none:1")
    with pytest.raises(LookupError) as missing:
        HANDLERS["payout.send"](world.claim(job))
    assert failure_of(missing.value).transient is False
