"""Brings a database to the newest revision; the history ships inside the package, so there is no ini file."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool, text

from .db import sqlalchemy_url

HISTORY = Path(__file__).parent / "migrations"
# Any number will do, as long as all who migrate use the same one.
LOCK = 7_202_202


def config() -> Config:
    """Alembic's settings, with its own log lines off: a release command has nothing to say when all is well."""
    found = Config()
    # A percent sign in a path would be taken for an interpolation.
    found.set_main_option("script_location", str(HISTORY).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return found


def migrate(database_url: str) -> None:
    """Upgrades to head in one transaction; does nothing at head. Two at once are safe: the second waits for the
    first (60 s at most, then `sqlalchemy.exc.OperationalError`) and finds its work done.

    Raises alembic's CommandError where the database is at a revision that this version doesn't know.
    """
    engine = create_engine(sqlalchemy_url(database_url), poolclass=pool.NullPool, connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            # Freed at the end of the transaction, whichever way it ends.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            history = config()
            history.attributes["connection"] = connection
            command.upgrade(history, "head")
    finally:
        engine.dispose()
