"""One history: it makes exactly the tables that the code speaks of, once, also when two run it at the same time."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects.postgresql.base import ischema_names

import billing.models
import billing.tables
from billing.db import metadata, migrate, sqlalchemy_url
from billing.migrate import config


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


CATALOGUE = {
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default, numeric_precision, numeric_scale
        FROM information_schema.columns WHERE table_schema = 'public'""",
}


def catalogue(url: str) -> dict[str, set[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        return {
            name: {row for row in connection.execute(query).fetchall() if "alembic_version" not in row[0]}
            for name, query in CATALOGUE.items()
        }


@pytest.mark.parametrize("part", CATALOGUE)
def test_checks_partial_indexes_and_defaults_are_the_same_as_well(
    part: str, postgres_url: str, blank_postgres_url: str
) -> None:
    # Alembic's own comparison sees none of these, so Postgres is asked how it reads either schema.
    engine = create_engine(sqlalchemy_url(blank_postgres_url))
    metadata.create_all(engine)
    engine.dispose()
    declared, migrated = catalogue(blank_postgres_url)[part], catalogue(postgres_url)[part]
    assert declared and migrated - declared == set() and declared - migrated == set()


def test_what_an_upgrade_made_a_downgrade_takes_away(blank_postgres_url: str) -> None:
    migrate(blank_postgres_url)
    engine = create_engine(sqlalchemy_url(blank_postgres_url))
    with engine.begin() as connection:
        history = config()
        history.attributes["connection"] = connection
        command.downgrade(history, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    migrate(blank_postgres_url)
