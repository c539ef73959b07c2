"""The product: tenants, whom they bill, who wants to be told, and where money is paid out."""

from alembic import op

revision = "0001_product"
down_revision = None

STATEMENTS = """
CREATE TABLE tenants (
    id text NOT NULL,
    name text NOT NULL,
    token_hash text NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT ck_tenants_id CHECK (id ~ '^[a-z][a-z0-9-]{0,39}$'),
    CONSTRAINT uq_tenants_token_hash UNIQUE (token_hash)
);

CREATE TABLE customers (
    id bigserial NOT NULL,
    tenant_id text NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    phone text NOT NULL,
    address text NOT NULL,
    tax_id text NOT NULL,
    CONSTRAINT pk_customers PRIMARY KEY (id),
    CONSTRAINT uq_customers_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT fk_customers_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE TABLE payout_accounts (
    id bigserial NOT NULL,
    tenant_id text NOT NULL,
    holder_name text NOT NULL,
    iban text NOT NULL,
    currency text NOT NULL,
    CONSTRAINT pk_payout_accounts PRIMARY KEY (id),
    CONSTRAINT ck_payout_accounts_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT fk_payout_accounts_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
CREATE INDEX ix_payout_accounts_tenant_id_id ON payout_accounts (tenant_id, id);

CREATE TABLE subscribers (
    id bigserial NOT NULL,
    tenant_id text NOT NULL,
    url text NOT NULL,
    secret text NOT NULL,
    active boolean DEFAULT 'true' NOT NULL,
    CONSTRAINT pk_subscribers PRIMARY KEY (id),
    CONSTRAINT fk_subscribers_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
CREATE INDEX ix_subscribers_tenant_id_id ON subscribers (tenant_id, id);

CREATE TABLE invoices (
    id bigserial NOT NULL,
    tenant_id text NOT NULL,
    customer_id bigint NOT NULL,
    number text NOT NULL,
    version integer DEFAULT '1' NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    issued_on date NOT NULL,
    due_on date NOT NULL,
    total_cents bigint NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT fk_invoices_tenant_id_customer_id FOREIGN KEY (tenant_id, customer_id)
        REFERENCES customers (tenant_id, id),
    CONSTRAINT uq_invoices_tenant_id_number UNIQUE (tenant_id, number),
    CONSTRAINT ck_invoices_status CHECK (status IN ('draft', 'open', 'paid', 'void')),
    CONSTRAINT ck_invoices_version CHECK (version >= 1),
    CONSTRAINT ck_invoices_due CHECK (due_on >= issued_on),
    CONSTRAINT ck_invoices_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT fk_invoices_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
CREATE INDEX ix_invoices_tenant_id_customer_id ON invoices (tenant_id, customer_id);
CREATE INDEX ix_invoices_tenant_id_id ON invoices (tenant_id, id);
CREATE INDEX ix_invoices_tenant_id_issued_on ON invoices (tenant_id, issued_on);

CREATE TABLE invoice_lines (
    invoice_id bigint NOT NULL,
    position integer NOT NULL,
    description text NOT NULL,
    quantity numeric(12, 3) NOT NULL,
    unit_cents bigint NOT NULL,
    tax_percent numeric(5, 2) NOT NULL,
    amount_cents bigint NOT NULL,
    CONSTRAINT pk_invoice_lines PRIMARY KEY (invoice_id, position),
    CONSTRAINT fk_invoice_lines_invoice_id FOREIGN KEY (invoice_id) REFERENCES invoices (id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE invoice_lines, invoices, subscribers, payout_accounts, customers, tenants")
