"""Statements by the driver alone, for the few that run for every request and every job: the toolkit's own work on a
statement takes as long as Postgres' does. They look the same to who writes them: `s.execute(text(…), values).first()`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Self, cast

from psycopg import Connection, Error
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Found:
    """As much of SQLAlchemy's Result as such statements need; a row is a dictionary."""

    __slots__ = ("_rows",)

    def __init__(self, rows: list[DictRow]) -> None:
        self._rows = rows

    def mappings(self) -> Self:
        return self

    def first(self) -> DictRow | None:
        return self._rows[0] if self._rows else None

    one_or_none = first  # every one of them finds by a key

    def one(self) -> DictRow:
        (row,) = self._rows
        return row

    def scalar_one(self) -> Any:
        (value,) = self.one().values()
        return value

    def scalar(self) -> Any:
        """The first value of the first row; None for no row."""
        return next(iter(self._rows[0].values())) if self._rows else None

    def scalars(self) -> list[Any]:
        """The first value of each row."""
        return [next(iter(row.values())) for row in self._rows]


class Plain:
    """A driver's connection on which each statement is a transaction, but within `transaction`."""

    def __init__(self, driver: Connection[Any]) -> None:
        self._driver = driver
        self._begins = self._begun = False

    def execute(self, clause: TextClause, values: Mapping[str, Any] | None = None) -> Found:
        """What the statement returned. Raises psycopg.Error."""
        if not self._begins:
            return _found(self._send(clause, values))
        with self._driver.pipeline():  # one round trip for both
            self._driver.execute("BEGIN")
            cursor = self._send(clause, values)
        self._begins, self._begun = False, True
        return _found(cursor)

    def execute_all(self, *statements: tuple[TextClause, Mapping[str, Any]]) -> list[Found]:
        """Each after the one before it has ended, all in one round trip. Raises psycopg.Error."""
        with self._driver.pipeline():
            cursors = [self._send(clause, values) for clause, values in statements]
        return [_found(cursor) for cursor in cursors]

    def finish(self, clause: TextClause, values: Mapping[str, Any] | None = None) -> None:
        """The transaction's last statement: it and the commit are one round trip. Raises psycopg.Error."""
        with self._driver.pipeline():
            self._send(clause, values)
            self._driver.execute("COMMIT")
        self._begun = False

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """It begins with the first statement, and ends with the block: committed, or rolled back if it raises."""
        self._begins = True
        try:
            yield self
            if self._begun:
                self._driver.execute("COMMIT")
        except BaseException:
            if self._driver.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                with suppress(Error):  # what broke the block is what the caller has to hear
                    self._driver.execute("ROLLBACK")
            raise
        finally:
            self._begins = self._begun = False

    def _send(self, clause: TextClause, values: Mapping[str, Any] | None) -> Any:
        cursor = self._driver.cursor(row_factory=dict_row)
        return cursor.execute(_sql(clause), values or {})


def within(s: Session) -> Plain:
    """The session's own transaction. What the session has only noted so far is not there yet for these statements."""
    return Plain(cast("Connection[Any]", s.connection().connection.driver_connection))


def _found(cursor: Any) -> Found:
    return Found(cursor.fetchall() if cursor.pgresult.nfields else [])


@lru_cache(maxsize=256)
def _sql(clause: TextClause) -> Any:
    """The statement as psycopg writes it: `:id` is `%(id)s`."""
    return str(clause.compile(dialect=_DIALECT))
