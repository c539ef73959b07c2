"""What Alembic runs: inside the transaction, and on the connection, that `billing.migrate` opened."""

from alembic import context

from billing import models  # noqa: F401  # fills the metadata
from billing.db import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_server_default=True,
)
context.run_migrations()
