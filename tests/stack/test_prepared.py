"""PostgreSQL's data folder is made once and copied from then on; what a run did to its copy concerns no other."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from accepted.stack import databases
from accepted.stack.errors import Problem
from accepted.stack.postgres import Postgres
from accepted.stack.prepared import Prepared
from accepted.stack.servers import choose_postgres
from accepted.stack.tether import Tether

INITDB_SPEAKS = "The files belonging to this database system"
Serve = Callable[[str], tuple[str, str]]


@pytest.fixture
def serve(tmp_path: Path, tether: Tether, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Boots a server in a folder of that name, makes a table, ends it; returns its log and its password."""
    monkeypatch.chdir(tmp_path)

    def once(name: str) -> tuple[str, str]:
        folder = tmp_path / name
        folder.mkdir()
        server = choose_postgres(folder, folder, tether, "tests", print, {})
        assert isinstance(server, Postgres)
        try:
            server.launch()
            server.ready()
            with psycopg.connect(server.url) as connection:
                connection.execute("CREATE TABLE mine (n int)")
        finally:
            server.stop()
            server.discard()
        return (folder / "postgres.log").read_text(), server.url.split("@")[0]

    return once


def prepared(folder: Path) -> list[Path]:
    return sorted((folder / ".accepted").glob("postgres-*"))


def test_the_first_server_makes_a_data_folder_and_the_second_copies_it_as_it_was(serve: Serve, tmp_path: Path) -> None:
    first, password = serve("first")
    assert INITDB_SPEAKS in first
    (kept,) = prepared(tmp_path)
    assert kept.stat().st_mode & 0o077 == 0, "it holds a password"

    second, same = serve("second")  # which makes a table of the same name: nothing of the first one is there
    assert INITDB_SPEAKS not in second
    assert same == password
    assert prepared(tmp_path) == [kept]


def test_what_others_could_have_written_is_not_copied(serve: Serve, tmp_path: Path) -> None:
    serve("first")
    (kept,) = prepared(tmp_path)
    kept.chmod(0o755)
    second, _ = serve("second")
    assert INITDB_SPEAKS in second


def test_half_a_copy_is_never_found(tmp_path: Path) -> None:
    """A disk that fills up while the folder is kept."""
    (tmp_path / "postgres").touch()
    folder = Prepared(tmp_path, ["-U", "accepted"], tmp_path / "into")
    folder.keep(tmp_path / "no such data", "secret")
    assert not folder.there
    assert list((tmp_path / "into").iterdir()) == []


def test_other_programs_and_other_options_have_folders_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "postgres").touch()
    one = Prepared(tmp_path, ["--locale=C"], tmp_path)
    other = Prepared(tmp_path, ["--locale=de"], tmp_path)
    (tmp_path / "postgres").write_text("a newer one")
    newer = Prepared(tmp_path, ["--locale=C"], tmp_path)
    assert len({one.path, other.path, newer.path}) == 3


def test_tables_that_release_did_not_make_are_its_fault(blank_postgres_url: str) -> None:
    with pytest.raises(Problem, match=r"^release made no tables"):
        databases.fill(blank_postgres_url, "tiny", "http://127.0.0.1:9")


def test_who_is_filled_already_is_not_filled_again(postgres_url: str) -> None:
    databases.fill(postgres_url, "tiny", "http://127.0.0.1:9")
    with pytest.raises(Problem, match="already holds 2 tenants"):
        databases.fill(postgres_url, "tiny", "http://127.0.0.1:9")
