"""A transaction by the driver alone: all of it or nothing of it, and a connection that nobody finds in the middle."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from billing import db
from billing.db import DatabaseDown, statement, transaction

_ADD = text("INSERT INTO effects (natural_key) VALUES (:key) ON CONFLICT DO NOTHING RETURNING natural_key")
_MARK = text("UPDATE effects SET receipt = CAST(:receipt AS jsonb) WHERE natural_key = :key")
_READ = text("SELECT natural_key, receipt FROM effects ORDER BY natural_key")


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch: pytest.MonkeyPatch, app_environment: None) -> Iterator[None]:
    """The next to ask gets the connection that the last one had."""
    monkeypatch.setattr(db, "_pool_size", 1)
    yield
    db.dispose()


def rows() -> list[tuple[str, object]]:
    with statement() as s:
        found = s.execute(text("SELECT json_agg(e ORDER BY natural_key) FROM effects e"), {}).scalar_one() or []
    return [(each["natural_key"], each["receipt"]) for each in found]


def test_the_last_statement_and_the_commit_go_together() -> None:
    with transaction() as s:
        assert s.execute(_ADD, {"key": "a"}).first() == {"natural_key": "a"}
        s.finish(_MARK, {"key": "a", "receipt": '{"is": "there"}'})
        assert rows_elsewhere() == 1, "committed before the block ends"
    assert rows() == [("a", {"is": "there"})]


def test_a_block_that_ends_without_it_commits_as_well() -> None:
    with transaction() as s:
        s.execute(_ADD, {"key": "a"})
        assert rows_elsewhere() == 0
    assert [key for key, _ in rows()] == ["a"]


def test_a_block_that_does_nothing_begins_nothing() -> None:
    with transaction():
        pass
    assert rows() == []


@pytest.mark.parametrize("when", ["in the block", "in the first statement", "in the last"])
def test_what_fails_leaves_nothing_and_a_connection_as_good_as_new(when: str) -> None:
    with pytest.raises((RuntimeError, psycopg.errors.UndefinedTable)), transaction() as s:
        if when == "in the first statement":
            s.execute(text("SELECT * FROM no_such_table"), {})
        s.execute(_ADD, {"key": "a"})
        if when == "in the last":
            s.finish(text("UPDATE no_such_table SET x = 1"), {})
        raise RuntimeError("the act failed")
    assert rows() == []
    with transaction() as s:
        s.execute(_ADD, {"key": "b"})
    assert [key for key, _ in rows()] == ["b"]


def test_outside_of_a_transaction_each_statement_is_one_by_itself() -> None:
    with statement() as s:
        s.execute(_ADD, {"key": "a"})
        assert rows_elsewhere() == 1


def test_a_connection_that_was_cut_is_an_outage_and_the_next_one_is_whole() -> None:
    with pytest.raises(DatabaseDown, match="terminat"), transaction() as s:
        pid = s.execute(text("SELECT pg_backend_pid() AS pid")).scalar_one()
        elsewhere("SELECT pg_terminate_backend(%s)", pid)
        s.execute(_ADD, {"key": "a"})
    with statement() as s:
        assert s.execute(_READ, {}).first() is None


def rows_elsewhere() -> int:
    """As somebody else sees it."""
    return int(elsewhere("SELECT count(*) FROM effects"))


def elsewhere(sql: str, *values: object) -> int:
    from billing.settings import settings

    with psycopg.connect(settings().database_url, autocommit=True) as connection:
        row = connection.execute(sql, values).fetchone()
    assert row
    return int(row[0])
