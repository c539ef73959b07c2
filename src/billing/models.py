"""The product's own tables: who bills whom for what, who wants to be told, and where money is paid out.

Amounts are whole cents in the row's currency. Columns marked PII (personal data) never leave the database
except to the person's own tenant or, for an e-mail or a payout, to the provider that carries it out: not into
a queue, a log line or a dead letter.
"""

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from . import tables as _work  # noqa: F401  # one metadata: whoever sees these tables sees the work's as well
from .db import Base

STATUSES = ("draft", "open", "paid", "void")


class Tenant(Base):
    """A company that uses the product. Its API token is kept as a SHA-256 only; tokens are long and random."""

    __tablename__ = "tenants"
    __table_args__ = (
        # The id becomes part of natural keys and object keys, where ':' and '/' separate.
        CheckConstraint("id ~ '^[a-z][a-z0-9-]{0,39}$'", name="id"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[str] = mapped_column(Text, unique=True)


class Customer(Base):
    """Someone a tenant sends invoices to. All but the two ids is PII."""

    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("tenant_id", "id"),)  # what an invoice's two-column key points at

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text, ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    tax_id: Mapped[str] = mapped_column(Text)


class Invoice(Base):
    """`version` grows by one with every change; natural keys carry it."""

    __tablename__ = "invoices"
    __table_args__ = (
        # Both columns, so that no invoice can ever name another tenant's customer.
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("status IN ('draft', 'open', 'paid', 'void')", name="status"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("due_on >= issued_on", name="due"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_invoices_tenant_id_id", "tenant_id", "id"),  # the list's pages
        Index("ix_invoices_tenant_id_issued_on", "tenant_id", "issued_on"),  # a report's period
        Index("ix_invoices_tenant_id_customer_id", "tenant_id", "customer_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text, ForeignKey("tenants.id"))
    customer_id: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    status: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    issued_on: Mapped[date]
    due_on: Mapped[date]
    total_cents: Mapped[int] = mapped_column(BigInteger)


class InvoiceLine(Base):
    """`amount_cents` = quantity × unit_cents plus tax, rounded half up, once, per line."""

    __tablename__ = "invoice_lines"

    invoice_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("invoices.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    description: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    unit_cents: Mapped[int] = mapped_column(BigInteger)
    tax_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    amount_cents: Mapped[int] = mapped_column(BigInteger)


class Subscriber(Base):
    """A URL that wants a tenant's events. `secret` (`whsec_` + base64) signs each delivery; never logged."""

    __tablename__ = "subscribers"
    __table_args__ = (Index("ix_subscribers_tenant_id_id", "tenant_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text, ForeignKey("tenants.id"))
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(server_default="true")


class PayoutAccount(Base):
    """A bank account of a tenant's supplier or staff. Holder and IBAN are PII."""

    __tablename__ = "payout_accounts"
    __table_args__ = (
        Index("ix_payout_accounts_tenant_id_id", "tenant_id", "id"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text, ForeignKey("tenants.id"))
    holder_name: Mapped[str] = mapped_column(Text)
    iban: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
