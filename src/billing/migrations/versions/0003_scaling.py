"""What the autoscaler saw and decided last."""

from alembic import op

revision = "0003_scaling"
down_revision = "0002_background_work"

STATEMENT = """
CREATE TABLE scaling (
    pool text NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    replicas integer NOT NULL,
    leaving integer DEFAULT '0' NOT NULL,
    reason text NOT NULL,
    ups bigint DEFAULT '0' NOT NULL,
    downs bigint DEFAULT '0' NOT NULL,
    CONSTRAINT pk_scaling PRIMARY KEY (pool)
)
"""


def upgrade() -> None:
    op.execute(STATEMENT)


def downgrade() -> None:
    op.execute("DROP TABLE scaling")
