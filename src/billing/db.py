"""One engine a process, opened on first use (so after any fork), and the unit of work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from .settings import settings

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Base(DeclarativeBase):
    metadata = metadata


class DatabaseDown(Exception):
    """Postgres did not answer, or the connection broke; whether the transaction committed is not known."""


_engines: dict[int, Engine] = {}
_autocommit: dict[int, Engine] = {}  # the same connections, for `statement`
_pool_size = 4


def limit_connections(most: int) -> None:
    """Sets how many connections this process may hold; called by the entry point before the first use."""
    global _pool_size
    _pool_size = most


def sqlalchemy_url(database_url: str) -> str:
    """A `postgresql://` URL with the psycopg 3 driver named in it."""
    scheme, rest = database_url.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else database_url


def engine() -> Engine:
    """The engine of this very process: a forked child never uses sockets that its parent opened."""
    pid = os.getpid()
    if pid not in _engines:
        # A parent's engine stays in the dictionary unclosed on purpose: closing it here would end the
        # parent's connections, which share the same sockets.
        # And `setdefault`, because two threads may be the first at once: the engine that loses never opened anything.
        made = create_engine(
            sqlalchemy_url(settings().database_url),
            pool_size=_pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_use_lifo=True,
            connect_args={
                "connect_timeout": 3,
                "application_name": os.environ.get("PROCESS", "accepted")[:60],
                # A process that is frozen or cut off must not hold its locks for ever; the longest honest
                # pause inside a transaction is one call to a partner.
                "options": "-c idle_in_transaction_session_timeout="
                f"{int(settings().partner_timeout * 1000) + 2000} -c lock_timeout=10s",
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10000,
            },
        )
        _engines.setdefault(pid, made)
    return _engines[pid]


def dispose() -> None:
    """Closes this process's connections; the next use opens new ones."""
    _autocommit.pop(os.getpid(), None)
    found = _engines.pop(os.getpid(), None)
    if found is not None:
        found.dispose()


@contextmanager
def unit() -> Iterator[Session]:
    """A unit of work: one transaction, committed at the end of the block, rolled back if it raises.

    Raises DatabaseDown where Postgres can't be reached or the connection breaks within.
    """
    with _reached(), Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def transaction() -> Iterator[Connection]:
    """As `unit`, for statements only: without a session, which costs as much again as a statement.

    Raises DatabaseDown as `unit` does.
    """
    with _reached(), engine().begin() as connection:
        yield connection


@contextmanager
def statement() -> Iterator[Connection]:
    """For one statement, which is a transaction by itself: two round trips and a session less than `unit`.

    Raises DatabaseDown as `unit` does.
    """
    with _reached():
        pid = os.getpid()
        if pid not in _autocommit:
            _autocommit[pid] = engine().execution_options(isolation_level="AUTOCOMMIT")
        with _autocommit[pid].connect() as connection:
            yield connection


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseDown("no database connection became free within 5 s") from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_outage(error):
            raise DatabaseDown(str(error.orig).strip().splitlines()[0]) from error
        raise


def _is_outage(error: DBAPIError) -> bool:
    """No SQLSTATE (never connected), 08 (connection), 57P (shut down), 25P03 (timed out idle), 53 (no slot left)."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:
        return type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
    return state.startswith(("08", "57P", "53")) or state == "25P03"


def migrate(database_url: str) -> None:
    """Brings the schema to the newest revision. Two at once are safe."""
    from .migrate import migrate as run

    run(database_url)
