"""What a naive app puts on a queue: the whole thing, by value.

Given as the counter-example, and used only by trees that are meant to be wrong. A snapshot carries personal data
(e-mail, IBAN) through the broker, into its logs and its disk; it grows with the data; and it is stale by the time
a worker reads it. The cure is to publish ids and versions, and load fresh rows where the work is done.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from . import queries
from .models import Customer
from .tables import payouts, reports

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def snapshot(s: Session, kind: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the handler of `kind` would need, in JSON values, with `kind` and `args` beside it.

    `args` holds at least `tenant_id` and, by kind: report.export `report_id`; webhook.fanout `invoice_id`;
    webhook.deliver `invoice_id`, `subscriber_id`; email.send `invoice_id`; payout.send `payout_id` or `account_id`.
    What can't be found is None. Other kinds carry their args only.
    """
    tenant = str(args.get("tenant_id", ""))
    found: dict[str, Any] = {"kind": kind, "args": dict(args)}
    match kind:
        case "report.export":
            found |= {"report": _row(s, reports, args.get("report_id")), "customers": _customers(s, tenant)}
        case "webhook.fanout":
            found |= _invoice(s, tenant, args)
            found["subscribers"] = [asdict(one) for one in queries.subscribers(s, tenant, limit=10_000)]
        case "webhook.deliver":
            found |= _invoice(s, tenant, args)
            found["subscriber"] = _dict(queries.subscriber(s, tenant, int(args.get("subscriber_id", 0))))
        case "email.send":
            found |= _invoice(s, tenant, args)
        case "payout.send":
            payout = _row(s, payouts, args.get("payout_id"))
            account = int((payout or {}).get("account_id") or args.get("account_id") or 0)
            found |= {"payout": payout, "account": _dict(queries.payout_account(s, tenant, account))}
    return found


def _invoice(s: Session, tenant: str, args: Mapping[str, Any]) -> dict[str, Any]:
    number = int(args.get("invoice_id", 0))
    invoice = queries.invoice(s, tenant, number)
    if invoice is None:
        return {"invoice": None, "customer": None, "lines": []}
    shown = asdict(invoice) | {
        "issued_on": invoice.issued_on.isoformat(),
        "due_on": invoice.due_on.isoformat(),
    }
    return {
        "invoice": shown,
        "customer": _dict(queries.customer(s, tenant, invoice.customer_id)),
        "lines": [asdict(line) for line in queries.lines(s, tenant, number)],
    }


def _customers(s: Session, tenant: str) -> list[dict[str, Any]]:
    """All of them: a report names each, and the naive app wants nothing to be missing."""
    c = Customer
    query = select(c.id, c.name, c.email, c.phone, c.address, c.tax_id).where(c.tenant_id == tenant).order_by(c.id)
    return [dict(row) for row in s.execute(query).mappings()]


def _row(s: Session, table: Table, key: object) -> dict[str, Any] | None:
    try:
        row_id = UUID(str(key))
    except ValueError:
        return None
    row = s.execute(select(table).where(table.c.id == row_id)).mappings().one_or_none()
    return {name: _plain(value) for name, value in row.items()} if row else None


def _dict(found: "DataclassInstance | None") -> dict[str, Any] | None:
    return asdict(found) if found is not None else None


def _plain(value: object) -> object:
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
