"""The few reads that handlers and routes need, each for one tenant, and the one write: a new version.

An id that isn't the tenant's is the same as one that doesn't exist: None. Fields with personal data or secrets
are left out of `repr`, so that a stray log line doesn't carry them.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from .models import Customer as CustomerRow
from .models import Invoice as InvoiceRow
from .models import InvoiceLine as InvoiceLineRow
from .models import PayoutAccount as PayoutAccountRow
from .models import Subscriber as SubscriberRow
from .models import Tenant as TenantRow

LARGEST_ID = 2**63 - 1


class UnknownInvoice(LookupError):
    """The tenant has no invoice of this id."""


@dataclass(frozen=True)
class Tenant:
    id: str
    name: str


@dataclass(frozen=True)
class Customer:
    id: int
    tenant_id: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    address: str = field(repr=False)
    tax_id: str = field(repr=False)


@dataclass(frozen=True)
class Invoice:
    """Amounts are cents of `currency`; `status` is draft, open, paid or void."""

    id: int
    tenant_id: str
    customer_id: int
    number: str
    version: int
    status: str
    currency: str
    issued_on: date
    due_on: date
    total_cents: int


@dataclass(frozen=True)
class Line:
    """`quantity` and `tax_percent` are decimal text, exact: '2.500', '19.00'."""

    position: int
    description: str
    quantity: str
    unit_cents: int
    tax_percent: str
    amount_cents: int


@dataclass(frozen=True)
class Subscriber:
    """`secret` is a Standard Webhooks key: `whsec_` + base64."""

    id: int
    tenant_id: str
    url: str
    secret: str = field(repr=False)
    active: bool


@dataclass(frozen=True)
class PayoutAccount:
    id: int
    tenant_id: str
    holder_name: str = field(repr=False)
    iban: str = field(repr=False)
    currency: str


def tenant_by_token(s: Session, token: str) -> Tenant | None:
    """Who this API token belongs to. Only the digest is looked up, so timing tells nothing about the token."""
    digest = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
    row = s.execute(select(TenantRow.id, TenantRow.name).where(TenantRow.token_hash == digest)).one_or_none()
    return Tenant(row.id, row.name) if row else None


def invoice(s: Session, tenant_id: str, invoice_id: int) -> Invoice | None:
    if not _can_be(invoice_id):
        return None
    row = s.execute(_invoices(tenant_id).where(InvoiceRow.id == invoice_id)).one_or_none()
    return Invoice(*row) if row else None


def invoices(
    s: Session, tenant_id: str, after_id: int = 0, limit: int = 50, status: str | None = None
) -> list[Invoice]:
    """The next `limit` invoices in order of id."""
    query = _invoices(tenant_id).where(InvoiceRow.id > after_id).order_by(InvoiceRow.id).limit(limit)
    if status is not None:
        query = query.where(InvoiceRow.status == status)
    return [Invoice(*row) for row in s.execute(query)]


def lines(s: Session, tenant_id: str, invoice_id: int) -> list[Line]:
    """An invoice's lines in order of position; empty where it isn't the tenant's."""
    if not _can_be(invoice_id):
        return []
    line = InvoiceLineRow
    query = (
        select(
            line.position,
            line.description,
            line.quantity,
            line.unit_cents,
            line.tax_percent,
            line.amount_cents,
        )
        .join(InvoiceRow, InvoiceRow.id == line.invoice_id)
        .where(InvoiceRow.tenant_id == tenant_id, line.invoice_id == invoice_id)
        .order_by(line.position)
    )
    return [
        Line(
            row.position,
            row.description,
            str(row.quantity),
            row.unit_cents,
            str(row.tax_percent),
            row.amount_cents,
        )
        for row in s.execute(query)
    ]


def bump_invoice(s: Session, tenant_id: str, invoice_id: int) -> int:
    """The invoice's new version. Its row stays locked until the caller's transaction ends, so versions commit in
    order. Raises UnknownInvoice."""
    version = (
        s.execute(
            update(InvoiceRow)
            .where(InvoiceRow.tenant_id == tenant_id, InvoiceRow.id == invoice_id)
            .values(version=InvoiceRow.version + 1)
            .returning(InvoiceRow.version)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if _can_be(invoice_id)
        else None
    )
    if version is None:
        raise UnknownInvoice(f"{tenant_id} has no invoice {invoice_id}.")
    return version


def customer(s: Session, tenant_id: str, customer_id: int) -> Customer | None:
    if not _can_be(customer_id):
        return None
    c = CustomerRow
    row = s.execute(
        select(c.id, c.tenant_id, c.name, c.email, c.phone, c.address, c.tax_id).where(
            c.tenant_id == tenant_id, c.id == customer_id
        )
    ).one_or_none()
    return Customer(*row) if row else None


def subscriber(s: Session, tenant_id: str, subscriber_id: int) -> Subscriber | None:
    """Active or not: the caller decides what a delivery to a retired subscriber means."""
    if not _can_be(subscriber_id):
        return None
    row = s.execute(_subscribers(tenant_id).where(SubscriberRow.id == subscriber_id)).one_or_none()
    return Subscriber(*row) if row else None


def subscribers(s: Session, tenant_id: str, after_id: int = 0, limit: int = 500) -> list[Subscriber]:
    """The next `limit` active subscribers in order of id."""
    query = (
        _subscribers(tenant_id)
        .where(SubscriberRow.active, SubscriberRow.id > after_id)
        .order_by(SubscriberRow.id)
        .limit(limit)
    )
    return [Subscriber(*row) for row in s.execute(query)]


def payout_account(s: Session, tenant_id: str, account_id: int) -> PayoutAccount | None:
    if not _can_be(account_id):
        return None
    a = PayoutAccountRow
    row = s.execute(
        select(a.id, a.tenant_id, a.holder_name, a.iban, a.currency).where(a.tenant_id == tenant_id, a.id == account_id)
    ).one_or_none()
    return PayoutAccount(*row) if row else None


def _invoices(
    tenant_id: str,
) -> Select[int, str, int, str, int, str, str, date, date, int]:
    i = InvoiceRow
    return select(
        i.id,
        i.tenant_id,
        i.customer_id,
        i.number,
        i.version,
        i.status,
        i.currency,
        i.issued_on,
        i.due_on,
        i.total_cents,
    ).where(i.tenant_id == tenant_id)


def _subscribers(tenant_id: str) -> Select[int, str, str, str, bool]:
    x = SubscriberRow
    return select(x.id, x.tenant_id, x.url, x.secret, x.active).where(x.tenant_id == tenant_id)


def _can_be(number: int) -> bool:
    """Whether a bigint column can hold it: a longer number from a URL is an unknown id, not an error."""
    return 0 < number <= LARGEST_ID
