"""The tables that the code knows and the tables that the migrations make are the same."""

import warnings

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import SAWarning

from billing import models, tables
from billing.db import metadata, sqlalchemy_url


def test_a_migrated_database_has_what_the_code_declares_and_nothing_else(postgres_url):
    assert tables.jobs.metadata is models.Base.metadata is metadata
    engine = create_engine(sqlalchemy_url(postgres_url), poolclass=pool.NullPool)
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # indexes over expressions can't be compared
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
