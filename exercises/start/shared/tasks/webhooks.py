"""webhook.fanout and webhook.deliver: an event of an invoice, told to every subscriber of its tenant.

Both are superseded by a newer version of the invoice: subscribers hear the newest state, at least once, under a
stable webhook-id by which they recognise a repeat.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid5

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing import queries
from billing.db import unit
from billing.queries import Invoice

from .. import caps, effects, jobs, outbox, partners, steps
from ..core import Claim, Job, Receipt
from ..steps import Step
from . import rows

BATCH = 500

_ACTIVE = text("""
SELECT min(id), max(id), count(*) FROM (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) / :size AS n FROM subscribers WHERE tenant_id = :tenant AND active
) numbered GROUP BY n ORDER BY n
""")


def fanout(claim: Claim) -> dict[str, Any]:
    """One child job per subscriber. Which subscribers, in which batches, is pinned first; each batch is one
    transaction, and a child's id follows from its parent and its subscriber, so that a repeat adds none."""
    with unit() as s:
        newer = rows.superseded(claim, rows.invoice(s, claim))
    if newer:
        return newer
    planned = steps.run(claim, [Step("plan", lambda: _plan(claim), "subscribers counted")], (0, 5), more=True)
    batches: list[list[int]] = planned["plan"]["batches"]
    total = sum(count for _, _, count in batches)
    todo: list[Step] = []
    told = 0
    for n, (first, last, count) in enumerate(batches, 1):
        told += count
        message = f"{told} of {total} deliveries accepted"
        add = partial(_add, claim, first, last)
        todo.append(Step(f"batch:{n}", partial(_figures, count), message, commit=add))
    steps.run(claim, todo, (5, 99))
    return {"children": total}


def _plan(claim: Claim) -> dict[str, Any]:
    with unit() as s:
        found = s.execute(_ACTIVE, {"tenant": claim.job.tenant_id, "size": BATCH})
        return {"batches": [list(one) for one in found]}


def _figures(count: int) -> dict[str, Any]:
    return {"children": count}


def _add(claim: Claim, first: int, last: int, s: Session, _: dict[str, Any]) -> None:
    found = queries.subscribers(s, claim.job.tenant_id, after_id=first - 1, limit=BATCH)
    outbox.add_many(s, children(claim.job, [one.id for one in found if one.id <= last]))


def children(parent: Job, subscribers: Sequence[int]) -> list[Job]:
    """The deliveries of one event. Their natural keys name subscriber, invoice, version and type of the event."""
    tenant, invoice, version = parent.tenant_id, parent.args["invoice_id"], parent.args["version"]
    return [
        jobs.new(
            "webhook.deliver",
            tenant,
            f"{tenant}:webhook:{subscriber}:{invoice}:{version}:{parent.args['type']}",
            {**parent.args, "subscriber_id": subscriber},
            aggregate=f"{tenant}:webhook:{subscriber}:{invoice}",
            trace_id=parent.trace_id,
            traceparent=parent.traceparent,
            parent_id=parent.id,
            id=uuid5(parent.id, str(subscriber)),
        )
        for subscriber in subscribers
    ]


def deliver(claim: Claim) -> dict[str, Any]:
    """Posts the invoice as it is now to one subscriber as it is now."""
    job = claim.job
    with unit() as s:
        invoice = rows.invoice(s, claim)
        subscriber = queries.subscriber(s, job.tenant_id, int(job.args["subscriber_id"]))
    newer = rows.superseded(claim, invoice)
    if newer:
        return newer
    if subscriber is None or not subscriber.active:
        return {"skipped": "unsubscribed"}
    to = subscriber
    body = payload(str(job.args["type"]), invoice)

    def post(key: str) -> Receipt:
        return partners.deliver(key, url=to.url, secret=to.secret, body=body, traceparent=job.traceparent)

    with caps.slot("webhooks"):
        effects.once(job.natural_key, post, claim=claim)
    return {"subscriber_id": to.id, "invoice_id": invoice.id, "version": invoice.version}


def payload(event_type: str, invoice: Invoice) -> bytes:
    """What subscribers get: the invoice without anything of the customer, the same bytes at every attempt."""
    data = {
        "id": invoice.id,
        "number": invoice.number,
        "version": invoice.version,
        "status": invoice.status,
        "currency": invoice.currency,
        "total_cents": invoice.total_cents,
        "issued_on": invoice.issued_on.isoformat(),
        "due_on": invoice.due_on.isoformat(),
    }
    return json.dumps({"type": event_type, "data": data}, sort_keys=True).encode()
