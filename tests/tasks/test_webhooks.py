"""webhook.fanout and webhook.deliver, against the real partner as subscriber."""

from typing import Any

import pytest
from app.shared.core import Claim, LostLease, PartnerError
from app.shared.tasks import HANDLERS, webhooks

from .conftest import World

EVENT = {"version": 1, "type": "invoice.updated"}


def fanout(world: World) -> Claim:
    invoice = world.seeded.tenants["acme"].invoices[0]
    world.sql("UPDATE invoices SET version = 1 WHERE id = :id", id=invoice)
    args = {"invoice_id": invoice, **EVENT}
    return world.claim(world.job("webhook.fanout", args, f"fanout:{invoice}:1:invoice.updated", f"invoice:{invoice}"))


def children(world: World, claim: Claim) -> list[Any]:
    return world.sql(
        "SELECT id, args, natural_key FROM jobs WHERE parent_id = :id ORDER BY natural_key", id=claim.job.id
    )


def delivery(world: World, subscriber: int) -> Claim:
    parent = fanout(world)
    HANDLERS["webhook.fanout"](parent)
    (found,) = [one for one in children(world, parent) if one.args["subscriber_id"] == subscriber]
    return world.claim(world.read(found.id))


def test_each_active_subscriber_gets_one_delivery_and_a_repeat_adds_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "BATCH", 2)
    first, subscribers = fanout(world), world.seeded.tenants["acme"].subscribers
    assert HANDLERS["webhook.fanout"](first) == {"children": len(subscribers)}
    found = children(world, first)
    assert sorted(one.args["subscriber_id"] for one in found) == list(subscribers)
    assert len({one.natural_key for one in found}) == len(subscribers)
    world.sql("DELETE FROM job_steps")  # even if it were forgotten how far the first run came
    again = world.taken_over(first)
    HANDLERS["webhook.fanout"](again)
    assert children(world, again) == found
    assert len(world.sql("SELECT 1 FROM outbox WHERE kind = 'webhook.deliver'")) == len(subscribers)
    assert world.view(again.job.id)["children"] == {
        "total": len(subscribers), "queued": len(subscribers),
        "running": 0, "retrying": 0, "succeeded": 0, "failed": 0, "cancelled": 0,
    }  # fmt: skip


def test_a_batch_is_accepted_whole_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BATCH", 2)
    frozen = fanout(world)
    plan = webhooks._plan(frozen)
    assert [count for _, _, count in plan["batches"]] == [2, 2, 1]
    world.taken_over(frozen)
    with pytest.raises(LostLease):
        HANDLERS["webhook.fanout"](frozen)
    assert children(world, frozen) == []


def test_a_newer_version_of_the_invoice_supersedes_the_old_news(world: World) -> None:
    parent, subscriber = fanout(world), world.seeded.tenants["acme"].subscribers[4]
    HANDLERS["webhook.fanout"](parent)
    child = next(one for one in children(world, parent) if one.args["subscriber_id"] == subscriber)
    world.sql("UPDATE invoices SET version = 4 WHERE id = :id", id=parent.job.args["invoice_id"])
    claim = world.claim(world.read(child.id))
    assert HANDLERS["webhook.deliver"](claim) == {"superseded_by": 4}
    assert world.calls(claim.job.natural_key) == []
    assert HANDLERS["webhook.fanout"](world.taken_over(parent)) == {"superseded_by": 4}


def test_a_delivery_is_signed_named_by_its_natural_key_and_made_once(world: World) -> None:
    claim = delivery(world, world.seeded.tenants["acme"].subscribers[0])
    (row,) = world.sql("SELECT secret FROM subscribers WHERE id = :id", id=claim.job.args["subscriber_id"])
    subscriber = f"/subscribers/{claim.job.args['subscriber_id']}"
    world.partner.put(subscriber, json={"secret": row.secret}).raise_for_status()
    HANDLERS["webhook.deliver"](claim)
    HANDLERS["webhook.deliver"](world.taken_over(claim))
    (call,) = world.calls(claim.job.natural_key)
    (effect,) = world.effects(claim.job.natural_key)
    assert (call["status"], effect["signature"]) == (204, "ok")
    assert call["traceparent"].split("-")[1] == claim.job.trace_id
    assert call["worker"].rpartition(":")[2].isdigit()


def test_two_kinds_of_event_of_one_version_are_two_deliveries(world: World) -> None:
    parent = fanout(world).job
    paid = webhooks.children(
        parent.__class__(**_fields(parent) | {"args": {**parent.args, "type": "invoice.paid"}}), [1]
    )
    assert paid[0].natural_key != webhooks.children(parent, [1])[0].natural_key


def _fields(job: Any) -> dict[str, Any]:
    return {name: getattr(job, name) for name in job.__slots__}


def test_a_lost_answer_means_a_second_call_that_the_subscriber_recognises(world: World) -> None:
    claim = delivery(world, world.seeded.tenants["acme"].subscribers[1])
    world.faults({"match": {"op": "hook"}, "calls": 1, "do": {"accept_then_drop": True}})
    with pytest.raises(PartnerError) as broke:
        HANDLERS["webhook.deliver"](claim)
    assert (broke.value.failure.status, broke.value.failure.transient) == (None, True)
    HANDLERS["webhook.deliver"](world.taken_over(claim))
    assert len(world.calls(claim.job.natural_key)) == 2
    assert len(world.effects(claim.job.natural_key)) == 1


def test_a_refusal_says_where_with_which_status_and_when_to_come_back(world: World) -> None:
    claim = delivery(world, world.seeded.tenants["acme"].subscribers[2])
    world.sql(
        "UPDATE subscribers SET url = replace(url, '://', '://user:pass@') || '?token=abc' WHERE id = :id",
        id=claim.job.args["subscriber_id"],
    )
    world.faults({"match": {"op": "hook"}, "calls": 1, "do": {"status": 503, "retry_after": 7}})
    with pytest.raises(PartnerError) as refused:
        HANDLERS["webhook.deliver"](claim)
    failure = refused.value.failure
    assert (failure.status, failure.retry_after) == (503, 7.0)
    assert failure.endpoint is not None
    assert failure.endpoint.endswith(f"/hooks/{claim.job.args['subscriber_id']}")
    assert not any(secret in f"{failure}" for secret in ("token", "abc", "user", "pass"))
    HANDLERS["webhook.deliver"](claim)
    assert len(world.effects(claim.job.natural_key)) == 1


def test_who_has_unsubscribed_is_left_alone(world: World) -> None:
    claim = delivery(world, world.seeded.tenants["acme"].subscribers[3])
    world.sql("UPDATE subscribers SET active = false WHERE id = :id", id=claim.job.args["subscriber_id"])
    assert HANDLERS["webhook.deliver"](claim) == {"skipped": "unsubscribed"}
    assert world.calls(claim.job.natural_key) == []


def test_a_subscriber_hears_nothing_of_the_customer(world: World) -> None:
    from billing import queries
    from billing.db import unit

    with unit() as s:
        invoice = queries.invoice(s, "acme", world.seeded.tenants["acme"].invoices[0])
        assert invoice is not None
        customer = queries.customer(s, "acme", invoice.customer_id)
    assert customer is not None
    told = webhooks.payload("invoice.paid", invoice).decode()
    assert not any(word in told for word in (customer.name, customer.email, customer.tax_id, "customer"))
