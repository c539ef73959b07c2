"""What the work is about: one domain row for each accepted request."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, ForeignKey, Integer, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import UUID

from .columns import now
from .db import metadata

reports = Table(
    "reports",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("format", Text, nullable=False),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    now("created_at"),
    # The fenced pointer: written only by the holder of the newest fencing token.
    Column("artifact_key", Text),
    Column("artifact_bytes", BigInteger),
    Column("artifact_fence", BigInteger),
    CheckConstraint("format IN ('csv', 'pdf')", name="format"),
    CheckConstraint("period_from <= period_to", name="period"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("invoice_version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    now("created_at"),
    UniqueConstraint("invoice_id", "invoice_version", "type"),
)

emails = Table(
    "emails",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("invoice_version", Integer, nullable=False),
    now("created_at"),
)

payouts = Table(
    "payouts",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("account_id", BigInteger, ForeignKey("payout_accounts.id"), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("provider_id", Text),
    now("created_at"),
    UniqueConstraint("tenant_id", "reference"),
    CheckConstraint("amount_cents > 0", name="amount"),
)
