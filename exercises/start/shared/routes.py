"""What happens to a request for work: its rows are written, and the job is started or handed to the workers.

A report is what the client asked for and waits to see, so it is made here and now; webhooks, e-mails and payouts go
to the queue.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from flask import Response, g, request
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import unit

from . import jobs, links, outbox, runner
from .core import Job
from .problems import not_found


def post(kind: str) -> Response:
    """Takes on work of `kind` for the request at hand."""
    if kind == "report.export":
        return _report()
    with unit() as s:
        job = _POSTS[kind](s)
        outbox.add(s, job)
    return _accepted(job)


def put(kind: str) -> Response:
    """Takes on a change of the thing that the request names, and the work that follows from it."""
    with unit() as s:
        job = _PUTS[kind](s)
        outbox.add(s, job)
    return _accepted(job)


def _accepted(job: Job) -> Response:
    g.job_id = str(job.id)
    shown = {"id": str(job.id), "kind": job.kind, "state": job.state, "natural_key": job.natural_key}
    body = {"job": {**shown, "trace_id": job.trace_id}, "links": links.of_job(job.id)}
    headers = {"Location": links.job(job.id), "Retry-After": "1"}
    return Response(json.dumps(body, sort_keys=True), 202, headers=headers, content_type="application/json")


def _job(kind: str, key: str, args: dict[str, Any], aggregate: str) -> Job:
    return jobs.new(
        kind,
        g.tenant_id,
        f"{g.tenant_id}:{key}",
        args,
        aggregate=f"{g.tenant_id}:{aggregate}",
        trace_id=g.trace_id,
        traceparent=g.traceparent,
    )


_REPORT = text("""
INSERT INTO reports (id, tenant_id, format, period_from, period_to)
VALUES (:report, :tenant, :format, CAST(:first AS date), CAST(:last AS date))
""")
_STARTED = text("""
WITH added AS (
    INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)
    VALUES (:id, :tenant, :kind, :natural_key, CAST(:args AS jsonb), :aggregate, 0, :trace_id, :traceparent)
    RETURNING id, tenant_id
)
INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
SELECT id, 1, tenant_id, 'queued', 0, '' FROM added
""")


def _report() -> Response:
    body = request.get_json()
    report = uuid4()
    job = _job("report.export", f"report:{report}:1", {"report_id": str(report)}, f"report:{report}")
    period = {"first": body["from"], "last": body["to"]}
    with unit() as s:
        s.execute(_REPORT, {"report": report, "tenant": g.tenant_id, "format": body["format"], **period})
        s.execute(
            _STARTED,
            {
                "id": job.id,
                "tenant": job.tenant_id,
                "kind": job.kind,
                "natural_key": job.natural_key,
                "args": json.dumps(dict(job.args)),
                "aggregate": job.aggregate,
                "trace_id": job.trace_id,
                "traceparent": job.traceparent,
            },
        )
    runner.run(job.id)
    with unit() as s:
        job = jobs.get(s, job.id) or job
    return _accepted(job)


_INVOICE = text("SELECT id, version FROM invoices WHERE id = :invoice AND tenant_id = :tenant")
_CHANGE = text("""
UPDATE invoices SET status = :status, version = version + 1
WHERE id = :invoice AND tenant_id = :tenant RETURNING id, version
""")
_EVENT = text("""
INSERT INTO webhook_events (id, tenant_id, invoice_id, invoice_version, type)
VALUES (:id, :tenant, :invoice, :version, :type)
ON CONFLICT (invoice_id, invoice_version, type) DO NOTHING
""")


def _fanout(s: Session) -> Job:
    body = request.get_json(silent=True) or {}
    return _event(s, _of_invoice(s), body.get("type", "invoice.updated"))


def _change(s: Session) -> Job:
    status = request.get_json()["status"]
    told = {"paid": "invoice.paid", "void": "invoice.voided"}.get(status, "invoice.updated")
    found = s.execute(_CHANGE, {"status": status, "invoice": _invoice_id(), "tenant": g.tenant_id}).one_or_none()
    if found is None:
        raise not_found("invoice")
    return _event(s, (found.id, found.version), told)


def _event(s: Session, of: tuple[int, int], event_type: str) -> Job:
    invoice, version = of
    values = {"id": uuid4(), "tenant": g.tenant_id, "invoice": invoice, "version": version, "type": event_type}
    s.execute(_EVENT, values)
    args = {"invoice_id": invoice, "version": version, "type": event_type}
    return _job("webhook.fanout", f"fanout:{invoice}:{version}:{event_type}", args, f"invoice:{invoice}")


_EMAIL = text("""
INSERT INTO emails (id, tenant_id, invoice_id, invoice_version) VALUES (:id, :tenant, :invoice, :version)
""")


def _email(s: Session) -> Job:
    invoice, version = _of_invoice(s)
    s.execute(_EMAIL, {"id": uuid4(), "tenant": g.tenant_id, "invoice": invoice, "version": version})
    args = {"invoice_id": invoice, "version": version}
    return _job("email.send", f"email:{invoice}:{version}", args, f"email:{invoice}:{version}")


def _invoice_id() -> int:
    return int((request.view_args or {})["invoice_id"])


def _of_invoice(s: Session) -> tuple[int, int]:
    """(id, version) of the invoice in the URL."""
    found = s.execute(_INVOICE, {"invoice": _invoice_id(), "tenant": g.tenant_id}).one_or_none()
    if found is None:
        raise not_found("invoice")
    return found.id, found.version


_PAYOUT = text("""
INSERT INTO payouts (id, tenant_id, account_id, amount_cents, currency, reference)
SELECT :id, :tenant, id, :amount, :currency, :reference FROM payout_accounts
WHERE id = :account AND tenant_id = :tenant
RETURNING id
""")


def _payout(s: Session) -> Job:
    body = request.get_json()
    account, reference = body["account_id"], body["reference"]
    what = {"account": account, "amount": body["amount_cents"], "currency": body["currency"], "reference": reference}
    payout: UUID | None = s.execute(_PAYOUT, {"id": uuid4(), "tenant": g.tenant_id, **what}).scalar()
    if payout is None:
        raise not_found("payout account")
    return _job("payout.send", f"payout:{reference}:1", {"payout_id": str(payout)}, f"account:{account}")


def _noop(s: Session) -> Job:
    each = uuid4()
    return _job("noop", f"noop:{each}:1", {}, f"noop:{each}")


_POSTS: dict[str, Callable[[Session], Job]] = {
    "webhook.fanout": _fanout,
    "email.send": _email,
    "payout.send": _payout,
    "noop": _noop,
}
_PUTS: dict[str, Callable[[Session], Job]] = {"webhook.fanout": _change}
