"""What Alembic runs: inside the transaction, and on the connection, that `billing.migrate` opened."""

from alembic import context

from billing.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
)
context.run_migrations()
