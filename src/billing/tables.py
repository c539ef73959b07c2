"""The tables of the background work. Postgres is the truth for all of it; the broker carries ids only.

Every tree uses the same schema: the naive one writes less into it.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.types import UserDefinedType

from .db import metadata


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _when(name: str, **options: object) -> Column[object]:
    return Column(name, DateTime(timezone=True), **options)  # type: ignore[arg-type]


def _now(name: str) -> Column[object]:
    return _when(name, nullable=False, server_default=func.clock_timestamp())


# -- what the work is about: one domain row for each accepted request --------------------------------------------

reports = Table(
    "reports",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("format", Text, nullable=False),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    _now("created_at"),
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
    _now("created_at"),
    UniqueConstraint("invoice_id", "invoice_version", "type"),
)

emails = Table(
    "emails",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("invoice_version", Integer, nullable=False),
    _now("created_at"),
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
    _now("created_at"),
    UniqueConstraint("tenant_id", "reference"),
    CheckConstraint("amount_cents > 0", name="amount"),
)

# -- the work ----------------------------------------------------------------------------------------------------

jobs = Table(
    "jobs",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("natural_key", Text, nullable=False),
    Column("args", JSONB, nullable=False),  # ids and versions only, never what they point at
    Column("aggregate", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # position within the aggregate
    Column("parent_id", UUID(as_uuid=True), ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("percent", SmallInteger, nullable=False, server_default="0"),
    Column("message", Text, nullable=False, server_default=""),
    Column("event_seq", Integer, nullable=False, server_default="1"),
    Column("failures", Integer, nullable=False, server_default="0"),  # runs that ended in an error: for retries
    Column("deliveries", Integer, nullable=False, server_default="0"),  # counted before the handler: for poison
    Column("requeues", Integer, nullable=False, server_default="0"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("worker", Text),
    _when("lease_until"),
    _when("deadline"),
    _when("due_at"),
    _now("accepted_at"),
    _when("started_at"),  # of the newest run
    _when("finished_at"),
    Column("result", JSONB),
    Column("error", JSONB),
    Column("trace_id", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    CheckConstraint("state IN ('queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')", name="state"),
    CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    Index("ix_jobs_tenant_accepted", "tenant_id", text("accepted_at DESC"), "id"),
    Index("ix_jobs_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    Index("ix_jobs_queued", "kind", "accepted_at", postgresql_where=text("state = 'queued'")),
    Index("ix_jobs_due", "due_at", postgresql_where=text("state = 'retrying'")),
    Index("ix_jobs_lease", "lease_until", postgresql_where=text("state = 'running'")),
    Index("ix_jobs_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index(
        "ix_jobs_unfinished_aggregate",
        "aggregate",
        "seq",
        postgresql_where=text("state IN ('queued', 'running', 'retrying')"),
    ),
    Index("ix_jobs_trace", "trace_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("job_id", UUID(as_uuid=True), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("aggregate", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    _now("created_at"),
    _when("published_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _when("not_before"),
    Column("last_error", Text),
    Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
    Index("ix_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
    Index("ix_outbox_job", "job_id"),
    # The aggregates that wait behind a row which could not be published yet: nearly always none.
    Index(
        "ix_outbox_deferred",
        "aggregate",
        postgresql_where=text("published_at IS NULL AND not_before IS NOT NULL"),
    ),
)

outbox_sequences = Table(
    "outbox_sequences",
    metadata,
    Column("aggregate", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", UUID(as_uuid=True), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    # Sequences commit out of order, so a reader's cursor is the transaction id, not a row number.
    Column("xact", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    _now("at"),
    Column("state", Text, nullable=False),
    Column("percent", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_job_events_xact", "xact"),
)

job_steps = Table(
    "job_steps",
    metadata,
    Column("job_id", UUID(as_uuid=True), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("output", JSONB, nullable=False),
    Column("fence", BigInteger, nullable=False),
    _now("finished_at"),
)

effects = Table(
    "effects",
    metadata,
    Column("natural_key", Text, primary_key=True),
    Column("job_id", UUID(as_uuid=True)),
    Column("receipt", JSONB, nullable=False, server_default="{}"),
    _now("at"),
)

# -- what goes wrong, and who did something about it --------------------------------------------------------------

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("job_id", UUID(as_uuid=True), ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("tenant_id", Text),
    Column("kind", Text),
    Column("queue", Text),
    Column("natural_key", Text),
    Column("reason", Text, nullable=False),
    Column("error_class", Text),
    Column("error_message", Text),  # redacted
    Column("endpoint", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("deliveries", Integer, nullable=False, server_default="0"),
    Column("trace_id", Text),
    Column("context", JSONB, nullable=False, server_default="{}"),  # redacted
    _now("parked_at"),
    _when("requeued_at"),
    _when("purged_at"),
    Index("ix_dead_letters_open", "id", postgresql_where=text("requeued_at IS NULL AND purged_at IS NULL")),
    Index("ix_dead_letters_job", "job_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    _now("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", JSONB, nullable=False),
    _now("created_at"),
    Index("ix_idempotency_keys_created", "created_at"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("scope", Text, primary_key=True),  # 'all', 'queue:reports', 'kind:payout.send'
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    _now("at"),
)

broker_epoch = Table(
    "broker_epoch",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default="1"),
    Column("epoch", Text, nullable=False),
    _now("since"),
    CheckConstraint("id = 1", name="one_row"),
)

# Jobs past their time to live are deleted; what they counted stays, so that no counter ever falls.
counters = Table(
    "counters",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
