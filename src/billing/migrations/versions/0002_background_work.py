"""The background work: what was asked, the jobs, the outbox, effects, and what went wrong."""

from alembic import op

revision = "0002_background_work"
down_revision = "0001_product"

STATEMENTS = """
CREATE TABLE audit (
    id bigserial NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    detail jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE TABLE broker_epoch (
    id smallint DEFAULT '1' NOT NULL,
    epoch text NOT NULL,
    since timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_broker_epoch PRIMARY KEY (id),
    CONSTRAINT ck_broker_epoch_one_row CHECK (id = 1)
);

CREATE TABLE counters (
    kind text NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT pk_counters PRIMARY KEY (kind, name)
);

CREATE TABLE effects (
    natural_key text NOT NULL,
    job_id uuid,
    receipt jsonb DEFAULT '{}' NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_effects PRIMARY KEY (natural_key)
);

CREATE TABLE idempotency_keys (
    tenant_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    headers jsonb NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (tenant_id, route, key)
);
CREATE INDEX ix_idempotency_keys_created ON idempotency_keys (created_at);

CREATE TABLE outbox_sequences (
    aggregate text NOT NULL,
    last_seq bigint NOT NULL,
    CONSTRAINT pk_outbox_sequences PRIMARY KEY (aggregate)
);

CREATE TABLE pauses (
    scope text NOT NULL,
    actor text NOT NULL,
    reason text DEFAULT '' NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_pauses PRIMARY KEY (scope)
);

CREATE TABLE jobs (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    natural_key text NOT NULL,
    args jsonb NOT NULL,
    aggregate text NOT NULL,
    seq bigint NOT NULL,
    parent_id uuid,
    state text DEFAULT 'queued' NOT NULL,
    percent smallint DEFAULT '0' NOT NULL,
    message text DEFAULT '' NOT NULL,
    event_seq integer DEFAULT '1' NOT NULL,
    failures integer DEFAULT '0' NOT NULL,
    deliveries integer DEFAULT '0' NOT NULL,
    requeues integer DEFAULT '0' NOT NULL,
    fence bigint DEFAULT '0' NOT NULL,
    worker text,
    lease_until timestamptz,
    deadline timestamptz,
    due_at timestamptz,
    accepted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    result jsonb,
    error jsonb,
    trace_id text NOT NULL,
    traceparent text NOT NULL,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT ck_jobs_state CHECK
        (state IN ('queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT ck_jobs_percent CHECK (percent BETWEEN 0 AND 100),
    CONSTRAINT fk_jobs_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_jobs_parent_id FOREIGN KEY (parent_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_jobs_due ON jobs (due_at) WHERE state = 'retrying';
CREATE INDEX ix_jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX ix_jobs_lease ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX ix_jobs_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_jobs_queued ON jobs (kind, accepted_at) WHERE state = 'queued';
CREATE INDEX ix_jobs_tenant_accepted ON jobs (tenant_id, accepted_at DESC, id);
CREATE INDEX ix_jobs_trace ON jobs (trace_id);
CREATE INDEX ix_jobs_unfinished_aggregate ON jobs (aggregate, seq)
    WHERE state IN ('queued', 'running', 'retrying');

CREATE TABLE reports (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    format text NOT NULL,
    period_from date NOT NULL,
    period_to date NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    artifact_key text,
    artifact_bytes bigint,
    artifact_fence bigint,
    CONSTRAINT pk_reports PRIMARY KEY (id),
    CONSTRAINT ck_reports_format CHECK (format IN ('csv', 'pdf')),
    CONSTRAINT ck_reports_period CHECK (period_from <= period_to),
    CONSTRAINT fk_reports_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE TABLE dead_letters (
    id bigserial NOT NULL,
    job_id uuid,
    tenant_id text,
    kind text,
    queue text,
    natural_key text,
    reason text NOT NULL,
    error_class text,
    error_message text,
    endpoint text,
    attempts integer DEFAULT '0' NOT NULL,
    deliveries integer DEFAULT '0' NOT NULL,
    trace_id text,
    context jsonb DEFAULT '{}' NOT NULL,
    parked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    requeued_at timestamptz,
    purged_at timestamptz,
    CONSTRAINT pk_dead_letters PRIMARY KEY (id),
    CONSTRAINT fk_dead_letters_job_id FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
CREATE INDEX ix_dead_letters_job ON dead_letters (job_id);
CREATE INDEX ix_dead_letters_open ON dead_letters (id) WHERE requeued_at IS NULL AND purged_at IS NULL;

CREATE TABLE job_events (
    job_id uuid NOT NULL,
    seq integer NOT NULL,
    tenant_id text NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    state text NOT NULL,
    percent smallint NOT NULL,
    message text NOT NULL,
    CONSTRAINT pk_job_events PRIMARY KEY (job_id, seq),
    CONSTRAINT fk_job_events_job_id FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_job_events_xact ON job_events (xact);

CREATE TABLE job_steps (
    job_id uuid NOT NULL,
    name text NOT NULL,
    output jsonb NOT NULL,
    fence bigint NOT NULL,
    finished_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_job_steps PRIMARY KEY (job_id, name),
    CONSTRAINT fk_job_steps_job_id FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE outbox (
    id bigserial NOT NULL,
    job_id uuid NOT NULL,
    kind text NOT NULL,
    aggregate text NOT NULL,
    seq bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    published_at timestamptz,
    attempts integer DEFAULT '0' NOT NULL,
    not_before timestamptz,
    last_error text,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT fk_outbox_job_id FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_outbox_job ON outbox (job_id);
CREATE INDEX ix_outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX ix_outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX ix_outbox_deferred ON outbox (aggregate) WHERE published_at IS NULL AND not_before IS NOT NULL;

CREATE TABLE payouts (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    account_id bigint NOT NULL,
    amount_cents bigint NOT NULL,
    currency text NOT NULL,
    reference text NOT NULL,
    provider_id text,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_payouts PRIMARY KEY (id),
    CONSTRAINT uq_payouts_tenant_id_reference UNIQUE (tenant_id, reference),
    CONSTRAINT ck_payouts_amount CHECK (amount_cents > 0),
    CONSTRAINT fk_payouts_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_payouts_account_id FOREIGN KEY (account_id) REFERENCES payout_accounts (id)
);

CREATE TABLE emails (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    invoice_id bigint NOT NULL,
    invoice_version integer NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_emails PRIMARY KEY (id),
    CONSTRAINT fk_emails_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_emails_invoice_id FOREIGN KEY (invoice_id) REFERENCES invoices (id)
);

CREATE TABLE webhook_events (
    id uuid NOT NULL,
    tenant_id text NOT NULL,
    invoice_id bigint NOT NULL,
    invoice_version integer NOT NULL,
    type text NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_webhook_events PRIMARY KEY (id),
    CONSTRAINT uq_webhook_events_invoice_id_invoice_version_type UNIQUE (invoice_id, invoice_version, type),
    CONSTRAINT fk_webhook_events_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_webhook_events_invoice_id FOREIGN KEY (invoice_id) REFERENCES invoices (id)
)
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE webhook_events, emails, payouts, outbox, job_steps, job_events, dead_letters, "
        "reports, jobs, pauses, outbox_sequences, idempotency_keys, effects, counters, broker_epoch, "
        "audit"
    )
