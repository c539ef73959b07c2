"""The product's read API as a Flask blueprint. The host app authenticates and sets `flask.g.tenant_id` before.

Errors are raised as werkzeug's HTTPExceptions with a description; the host app turns them into its own format.
"""

import base64
import binascii
from dataclasses import asdict

from flask import Blueprint, g, request
from werkzeug.exceptions import BadRequest, NotFound

from . import queries
from .db import unit
from .models import STATUSES

blueprint = Blueprint("billing", __name__)
JSON = dict[str, object]
LARGEST_PAGE = 200


@blueprint.get("/v1/invoices")
def list_invoices() -> JSON:
    """`{"data": [invoice…], "next": cursor or null}`; query: limit (1 to 200), cursor, status."""
    limit, after = _limit(), _after()
    status = request.args.get("status")
    if status is not None and status not in STATUSES:
        raise BadRequest(f"status must be one of {', '.join(STATUSES)}.")
    with unit() as s:
        found = queries.invoices(s, g.tenant_id, after, limit + 1, status)
    return _page([_invoice(one) for one in found], limit)


@blueprint.get("/v1/invoices/<int:invoice_id>")
def show_invoice(invoice_id: int) -> JSON:
    """The invoice with its lines and whom it was sent to."""
    with unit() as s:
        found = queries.invoice(s, g.tenant_id, invoice_id)
        if found is None:
            raise NotFound(f"There is no invoice {invoice_id}.")
        customer = queries.customer(s, g.tenant_id, found.customer_id)
        lines = queries.lines(s, g.tenant_id, invoice_id)
    return _invoice(found) | {
        "customer": {"id": customer.id, "name": customer.name, "email": customer.email} if customer else None,
        "lines": [asdict(line) for line in lines],
    }


@blueprint.get("/v1/subscribers")
def list_subscribers() -> JSON:
    """Active subscribers, paged like invoices; secrets are never shown."""
    limit, after = _limit(), _after()
    with unit() as s:
        found = queries.subscribers(s, g.tenant_id, after, limit + 1)
    return _page([{"id": one.id, "url": one.url, "active": one.active} for one in found], limit)


def _invoice(found: queries.Invoice) -> JSON:
    shown = asdict(found) | {"issued_on": found.issued_on.isoformat(), "due_on": found.due_on.isoformat()}
    del shown["tenant_id"]
    return shown


def _page(found: list[JSON], limit: int) -> JSON:
    """One row more than the page was asked for; that there is one means that there's a next page."""
    shown = found[:limit]
    return {"data": shown, "next": _cursor(shown[-1]["id"]) if len(found) > limit else None}


def _limit() -> int:
    text = request.args.get("limit", "50")
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LARGEST_PAGE):
        raise BadRequest(f"limit must be a whole number from 1 to {LARGEST_PAGE}.")
    return int(text)


def _cursor(last_id: object) -> str:
    return base64.urlsafe_b64encode(f"after:{last_id}".encode()).decode()


def _after() -> int:
    """Where the page starts. A cursor isn't signed: whatever it says, the tenant sees only its own rows."""
    text = request.args.get("cursor")
    if not text:
        return 0
    try:
        word, number = base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii").split(":")
        after = int(number) if number.isdigit() and len(number) < 20 else -1
    except (binascii.Error, ValueError):
        word, after = "", -1
    if word != "after" or not 0 <= after <= queries.LARGEST_ID:
        raise BadRequest("cursor is not one that this API gave out; take `next` of the page before.")
    return after
