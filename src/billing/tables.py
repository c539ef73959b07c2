"""The tables of the background work. Postgres is the truth for all of it; the broker carries ids only.

Every tree uses the same schema: the naive one writes less into it.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.types import UserDefinedType

from .columns import now, when
from .db import metadata
from .operation import broker_epoch, counters, pauses, scaling
from .subjects import emails, payouts, reports, webhook_events

__all__ = [
    "Xid8",
    "audit",
    "broker_epoch",
    "counters",
    "dead_letters",
    "effects",
    "emails",
    "idempotency_keys",
    "job_events",
    "job_steps",
    "jobs",
    "outbox",
    "outbox_sequences",
    "pauses",
    "payouts",
    "reports",
    "scaling",
    "webhook_events",
]


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


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
    when("lease_until"),
    when("deadline"),
    when("due_at"),
    now("accepted_at"),
    when("started_at"),  # of the newest run
    when("finished_at"),
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
    now("created_at"),
    when("published_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    when("not_before"),
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
    now("at"),
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
    now("finished_at"),
)

effects = Table(
    "effects",
    metadata,
    Column("natural_key", Text, primary_key=True),
    Column("job_id", UUID(as_uuid=True)),
    Column("receipt", JSONB, nullable=False, server_default="{}"),
    now("at"),
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
    now("parked_at"),
    when("requeued_at"),
    when("purged_at"),
    Index("ix_dead_letters_open", "id", postgresql_where=text("requeued_at IS NULL AND purged_at IS NULL")),
    Index("ix_dead_letters_job", "job_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    now("at"),
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
    now("created_at"),
    Index("ix_idempotency_keys_created", "created_at"),
)
