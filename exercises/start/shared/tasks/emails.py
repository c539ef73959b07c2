"""email.send: one mail for each version of an invoice, through a provider that does not recognise repeats."""

import time
from typing import Any

from billing.db import unit
from billing.queries import Customer, Invoice

from .. import caps, effects, partners
from ..core import Claim, LostLease, Receipt
from . import rows


def send(claim: Claim) -> dict[str, Any]:
    """Asks the provider by our reference whether the mail went out already, and sends it only if it didn't."""
    job = claim.job
    with unit() as s:
        invoice = rows.invoice(s, claim)
        customer = rows.customer(s, invoice)

    def ask_then_send(key: str) -> Receipt:
        sent = partners.find_email(key, traceparent=job.traceparent)
        if sent is not None:
            return sent
        # A worker that was frozen in between must not send: by now another may have asked, and sent. What no one can
        # close from here is a freeze within the call itself.
        if time.monotonic() >= claim.lease_until:
            raise LostLease(f"job {job.id}: the lease ended before the mail was sent")
        subject, body = mail(invoice, customer)
        return partners.send_email(key, to=customer.email, subject=subject, body=body, traceparent=job.traceparent)

    with caps.slot("emails"):
        receipt = effects.once(job.natural_key, ask_then_send, claim=claim)
    return {"invoice_id": invoice.id, "version": invoice.version, "provider_id": receipt.reference}


def mail(invoice: Invoice, customer: Customer) -> tuple[str, str]:
    """(subject, body)."""
    whole, cents = divmod(abs(invoice.total_cents), 100)
    sign = "-" if invoice.total_cents < 0 else ""
    body = (
        f"Dear {customer.name},\n\nyour invoice {invoice.number} of {invoice.issued_on:%d %B %Y} comes to "
        f"{invoice.currency} {sign}{whole}.{cents:02} and is due on {invoice.due_on:%d %B %Y}.\n"
    )
    return f"Invoice {invoice.number}", body
