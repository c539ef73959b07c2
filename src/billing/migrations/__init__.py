"""The one Alembic history; `billing.migrate` runs it."""
