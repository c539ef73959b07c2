"""One engine a process, opened on first use (so after any fork), and the unit of work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from .plain import Plain
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
def transaction() -> Iterator[Plain]:
    """As `unit`, by the driver alone, and with fewer round trips: see `plain`.

    Raises DatabaseDown as `unit` does.
    """
    with _plain() as plain, plain.transaction():
        yield plain


@contextmanager
def statement() -> Iterator[Plain]:
    """As `transaction`, for statements each of which is one by itself.

    Raises DatabaseDown as `unit` does.
    """
    with _plain() as plain:
        yield plain


@contextmanager
def _plain() -> Iterator[Plain]:
    with _reached():
        taken = engine().raw_connection()
        driver = cast("psycopg.Connection[object]", taken.driver_connection)
        try:
            driver.autocommit = True
            yield Plain(driver)
            driver.autocommit = False
        except BaseException:
            # Broken, or in the middle of an answer: nobody else may have it.
            if driver.closed or driver.info.transaction_status != TransactionStatus.IDLE:
                taken.invalidate()
            else:
                driver.autocommit = False
            raise
        finally:
            taken.close()


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseDown("no database connection became free within 5 s") from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_outage(error.orig):
            raise DatabaseDown(_first_line(error.orig)) from error
        raise
    except psycopg.Error as error:
        if _is_outage(error):
            raise DatabaseDown(_first_line(error)) from error
        raise


def _is_outage(error: BaseException | None) -> bool:
    """No SQLSTATE (never connected), 08 (connection), 57P (shut down), 25P03 (timed out idle), 53 (no slot left)."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ in ("OperationalError", "ConnectionTimeout")
    return state.startswith(("08", "57P", "53")) or state == "25P03"


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[0]


def migrate(database_url: str) -> None:
    """Brings the schema to the newest revision. Two at once are safe."""
    from .migrate import migrate as run

    run(database_url)
