"""What happens to a request for background work: validated, written with its job in one transaction, answered 202.

Nothing here talks to the broker. The domain row, the job, its outbox row and the stored answer commit together.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Response, g, request
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from billing.db import unit
from billing.plain import within

from . import bodies, idempotency, jobs, links, outbox
from .core import Job
from .problems import Problem, not_found


@dataclass(frozen=True, slots=True)
class Work:
    """How to accept one kind of work: its body, and what writes the domain row, or hands it on, and names the job."""

    body: type[bodies.Body]
    write: Callable[[Session, Any], Job | tuple[Job, outbox.Row]]
    key_required: bool = False


def post(kind: str) -> Response:
    """Accepts work of `kind` for the request at hand. Raises Problem, DatabaseDown."""
    return _accept(kind, _POSTS[kind])


def put(kind: str) -> Response:
    """Accepts a change of the thing that the request names, and the work that follows from it."""
    return _accept(kind, _PUTS[kind])


def _accept(kind: str, work: Work) -> Response:
    key = idempotency.parse(request.headers.get("Idempotency-Key"))
    if key is None and work.key_required:
        raise idempotency.missing()
    body = bodies.read(work.body)
    if key is None:
        with unit() as s:
            return _respond(_answer(s, work, body))
    rule = request.url_rule.rule if request.url_rule else request.path
    scope = idempotency.Scope(g.tenant_id, f"{request.method} {rule}", key)
    mark = idempotency.fingerprint(request.path, body.model_dump_json(by_alias=True))
    with unit() as s:
        stored = idempotency.begin(s, scope, mark)
        if stored is not None:
            return _respond(stored, replayed=True)
        answer = _answer(s, work, body)
        idempotency.keep(s, scope, mark, answer)
    return _respond(answer)


def _answer(s: Session, work: Work, body: bodies.Body) -> idempotency.Answer:
    written = work.write(s, body)
    job, row = written if isinstance(written, tuple) else (written, None)
    if not outbox.add(s, job, row):
        job = jobs.get(s, job.id) or job
    g.job_id = str(job.id)
    shown = {"id": str(job.id), "kind": job.kind, "state": job.state, "natural_key": job.natural_key}
    return idempotency.Answer(
        202,
        {"Location": links.job(job.id), "Retry-After": "1"},
        {"job": {**shown, "trace_id": job.trace_id}, "links": links.of_job(job.id)},
    )


def _respond(answer: idempotency.Answer, *, replayed: bool = False) -> Response:
    # Sorted, so that a replay is the same to the byte.
    body = json.dumps(answer.body, sort_keys=True)
    response = Response(body, answer.status, headers=dict(answer.headers), content_type="application/json")
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _job(kind: str, key: str, args: dict[str, Any], aggregate: str) -> Job:
    natural_key = f"{g.tenant_id}:{key}"
    return jobs.new(
        kind,
        g.tenant_id,
        natural_key,
        args,
        aggregate=f"{g.tenant_id}:{aggregate}",
        trace_id=g.trace_id,
        traceparent=g.traceparent,
        id=jobs.id_of(natural_key),
    )


_REPORT = (
    "INSERT INTO reports (id, tenant_id, format, period_from, period_to)"
    " VALUES (:report, :tenant, :format, :first, :last)"
)


def _report(s: Session, body: bodies.Report) -> tuple[Job, outbox.Row]:
    report = uuid4()
    period = {"first": body.first, "last": body.last}
    row = outbox.Row(_REPORT, {"report": report, "tenant": g.tenant_id, "format": body.format, **period})
    return _job("report.export", f"report:{report}:1", {"report_id": str(report)}, f"report:{report}"), row


# Asked for again, an event of the same version and type is the one that is there already; so is its job.
_EVENT = """
WITH invoice AS ({invoice}), event AS (
    INSERT INTO webhook_events (id, tenant_id, invoice_id, invoice_version, type)
    SELECT gen_random_uuid(), :tenant, id, version, :type FROM invoice
    ON CONFLICT (invoice_id, invoice_version, type) DO NOTHING
)
SELECT version FROM invoice
"""
_INVOICE = "SELECT id, version FROM invoices WHERE id = :invoice AND tenant_id = :tenant"
_CHANGED = (
    "UPDATE invoices SET status = :status, version = version + 1"
    " WHERE id = :invoice AND tenant_id = :tenant RETURNING id, version"
)
_FANOUT = text(_EVENT.format(invoice=_INVOICE))
_CHANGE = text(_EVENT.format(invoice=_CHANGED))
_TOLD = {"paid": "invoice.paid", "void": "invoice.voided"}


def _fanout(s: Session, body: bodies.Webhook) -> Job:
    return _event(s, _FANOUT, body.type, {})


def _change(s: Session, body: bodies.InvoiceChange) -> Job:
    return _event(s, _CHANGE, _TOLD.get(body.status, "invoice.updated"), {"status": body.status})


def _event(s: Session, statement: TextClause, event_type: str, change: dict[str, str]) -> Job:
    invoice, version = _of_invoice(s, statement, {"type": event_type, **change})
    args = {"invoice_id": invoice, "version": version, "type": event_type}
    key = f"fanout:{invoice}:{version}:{event_type}"
    return _job("webhook.fanout", key, args, f"invoice:{invoice}")


# The id is made from what the mail is about, so that asking again writes nothing.
_EMAIL = text(f"""
WITH invoice AS ({_INVOICE}), email AS (
    INSERT INTO emails (id, tenant_id, invoice_id, invoice_version)
    SELECT CAST(md5('email:' || id || ':' || version) AS uuid), :tenant, id, version FROM invoice
    ON CONFLICT (id) DO NOTHING
)
SELECT version FROM invoice
""")


def _email(s: Session, body: bodies.Email) -> Job:
    invoice, version = _of_invoice(s, _EMAIL, {})
    args = {"invoice_id": invoice, "version": version}
    return _job("email.send", f"email:{invoice}:{version}", args, f"email:{invoice}:{version}")


def _of_invoice(s: Session, statement: TextClause, values: dict[str, str]) -> tuple[int, int]:
    """(id, version) of the invoice in the URL, if it is the tenant's; else Problem 404."""
    invoice = int((request.view_args or {})["invoice_id"])
    version = None
    if invoice <= bodies.BIGGEST_ID:
        values = {"invoice": invoice, "tenant": g.tenant_id, **values}  # type: ignore[dict-item]
        version = within(s).execute(statement, values).scalar()
    if version is None:
        raise not_found("invoice")
    return invoice, int(version)


_PAYOUT = text("""
WITH account AS (
    SELECT id, currency FROM payout_accounts WHERE id = :account AND tenant_id = :tenant
), payout AS (
    INSERT INTO payouts (id, tenant_id, account_id, amount_cents, currency, reference)
    SELECT :id, :tenant, id, :amount, :currency, :reference FROM account WHERE currency = :currency
    ON CONFLICT (tenant_id, reference) DO NOTHING
    RETURNING id
)
SELECT account.currency, payout.id FROM account LEFT JOIN payout ON true
""")


def _payout(s: Session, body: bodies.Payout) -> Job:
    key = f"payout:{body.reference}:1"
    payout = jobs.id_of(f"{g.tenant_id}:{key}")
    values = {"account": body.account_id, "amount": body.amount_cents, "currency": body.currency}
    found = (
        within(s).execute(_PAYOUT, {"id": payout, "tenant": g.tenant_id, "reference": body.reference, **values}).first()
    )
    if found is None:
        raise not_found("payout account")
    if found["currency"] != body.currency:
        wrong = {"pointer": "/currency", "detail": f"this account takes {found['currency']}"}
        raise Problem(422, "The account is in another currency.", "validation", errors=[wrong])
    if found["id"] is None:
        raise Problem(
            409,
            "A payout with this reference was accepted before. If this is another one, give it a reference of its own.",
            "payout-reference-used",
            links={"job": links.job(payout)},
        )
    return _job("payout.send", key, {"payout_id": str(payout)}, f"account:{body.account_id}")


def _noop(s: Session, body: bodies.Noop) -> Job:
    each = uuid4()
    return _job("noop", f"noop:{each}:1", {}, f"noop:{each}")


_POSTS: dict[str, Work] = {
    "report.export": Work(bodies.Report, _report),
    "webhook.fanout": Work(bodies.Webhook, _fanout),
    "email.send": Work(bodies.Email, _email),
    "payout.send": Work(bodies.Payout, _payout, key_required=True),
    "noop": Work(bodies.Noop, _noop),
}
_PUTS: dict[str, Work] = {"webhook.fanout": Work(bodies.InvoiceChange, _change)}
