"""One history: it makes exactly the tables that the code speaks of, once, also when two run it at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects.postgresql.base import ischema_names

import billing.models
import billing.tables
from billing.db import metadata, migrate, sqlalchemy_url


def test_the_migrated_schema_is_the_one_in_the_code(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ischema_names, "xid8", billing.tables.Xid8)  # a type that SQLAlchemy can't read back
    engine = create_engine(sqlalchemy_url(postgres_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_two_migrations_at_once_and_a_third_later_are_one(blank_postgres_url: str) -> None:
    with ThreadPoolExecutor(2) as two:
        list(two.map(migrate, [blank_postgres_url] * 2))
    migrate(blank_postgres_url)
    engine = create_engine(sqlalchemy_url(blank_postgres_url))
    assert {"tenants", "jobs", "outbox", "effects"} <= set(inspect(engine).get_table_names())
    engine.dispose()
