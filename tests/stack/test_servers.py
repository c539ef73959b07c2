"""PostgreSQL and Redis: from each place that they can come from, durable, and gone when they are stopped."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from accepted.stack import databases, ports
from accepted.stack.account import server_account, tried
from accepted.stack.binaries import _wheel_postgres, find_postgres, find_redis
from accepted.stack.errors import Problem
from accepted.stack.given import GivenPostgres
from accepted.stack.postgres import Postgres
from accepted.stack.reach import copied
from accepted.stack.redis import Redis, client
from accepted.stack.servers import choose_postgres, choose_redis
from accepted.stack.tether import Tether


@pytest.fixture(params=["wheel", "path"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, tether: Tether) -> Iterator[tuple[Postgres, Redis]]:
    """Both servers of one origin, booted side by side."""
    environ = {"ACCEPTED_POSTGRES": request.param, "ACCEPTED_REDIS": request.param}
    try:
        postgres = choose_postgres(tmp_path, tmp_path, tether, "tests", print, environ)
        redis = choose_redis(tmp_path, tmp_path, tether, "tests", print, environ)
    except Problem as problem:
        pytest.skip(str(problem))
    assert isinstance(postgres, Postgres)
    assert isinstance(redis, Redis)
    try:
        for server in (postgres, redis):
            server.launch()
        for server in (redis, postgres):
            server.ready()
        yield postgres, redis
    finally:
        for server in (postgres, redis):
            server.stop()
            server.discard()


def test_a_server_is_durable_guarded_by_a_password_and_gone_after_its_stop(pair: tuple[Postgres, Redis]) -> None:
    postgres, redis = pair
    with psycopg.connect(postgres.url) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "max_connections")
        }
        assert connection.info.parameter_status("TimeZone") == "UTC"
    assert shown == {"fsync": ("on",), "synchronous_commit": ("on",), "max_connections": ("200",)}
    with client(redis.url) as connection:
        assert connection.config_get("append*")["appendonly"] == "yes"
        assert connection.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert connection.config_get("save") == {"save": ""}

    assert not databases.serves(f"postgresql://accepted:wrong@127.0.0.1:{postgres.port}/postgres")
    assert not databases.serves(f"postgresql://accepted@127.0.0.1:{postgres.port}/postgres")
    assert {connection.laddr.ip for connection in psutil.Process(postgres.pid).net_connections("inet")} == {"127.0.0.1"}

    everyone = [process for server in pair for process in _family(server.pid)]
    assert len(everyone) > 5
    for server in pair:
        server.stop()
    assert not [process for process in everyone if process.is_running()]
    assert not any(ports.answers(server.port) for server in pair)


def test_what_was_committed_survives_a_crash_and_a_wiped_broker_forgets(pair: tuple[Postgres, Redis]) -> None:
    postgres, redis = pair
    url = databases.create(postgres.url, "kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    before = postgres.pid
    postgres.restart(immediate=True)
    assert postgres.pid != before
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)

    with client(redis.url) as connection:
        connection.set("epoch", "1")
    redis.wipe()
    with client(redis.url) as connection:
        assert connection.get("epoch") is None
    assert not redis.lost
    psutil.Process(redis.pid).kill()
    psutil.Process(redis.pid).wait(5) if redis.pid else None
    assert redis.lost


def test_an_unusable_server_on_the_path_is_passed_over_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Reachable for the account that PostgreSQL runs as, unlike pytest's own folders.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for place, says in (("old", "(PostgreSQL) 12.3"), ("broken", None)):
            (folder / place).mkdir()
            for program in ("initdb", "postgres", "redis-server"):
                file = folder / place / program
                file.write_text(
                    f"#!/bin/sh\necho 'v=5.0.7 {says}'\n" if says else "#!/bin/sh\necho no libpq >&2; exit 127\n"
                )
                file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/old:{folder}/broken")
        notes: list[str] = []
        found = find_postgres(server_account(), notes.append)
        assert (found.origin, found.version.partition(".")[0]) == ("wheel", "18")
        assert notes == [
            f"passing over {folder}/old/postgres: version 12.3, and 14 is the oldest that works",
            f"passing over {folder}/broken/postgres: it does not run (no libpq)",
        ]
        assert find_redis(notes.append).origin == "wheel"
        assert f"passing over {folder}/old/redis-server: version 5.0.7, and 6.2 is the oldest that works" in notes
        with pytest.raises(Problem, match=r"no usable PostgreSQL.*Install PostgreSQL, or unset ACCEPTED_POSTGRES"):
            find_postgres(server_account(), notes.append, "path")
    with pytest.raises(Problem, match="takes `path` or `wheel`"):
        find_redis(print, "docker")


def test_a_named_server_is_used_as_it_is(postgres_server: Postgres, tmp_path: Path, tether: Tether) -> None:
    given = choose_postgres(tmp_path, tmp_path, tether, "tests", print, {"DATABASE_URL": postgres_server.url})
    assert isinstance(given, GivenPostgres)
    given.ready()
    with pytest.raises(Problem, match=r"not killed.*Unset DATABASE_URL"):
        given.kill()
    nowhere = GivenPostgres(f"postgresql://127.0.0.1:{ports.free_port()}/postgres")
    with pytest.raises(Problem, match=r"DATABASE_URL does not work.*unset it"):
        nowhere.ready()


def test_a_server_whose_port_was_taken_meanwhile_moves_to_another(
    redis_server: Redis, tmp_path: Path, tether: Tether
) -> None:
    server = choose_redis(tmp_path, tmp_path, tether, "tests", print, {})
    assert isinstance(server, Redis)
    server.port = redis_server.port
    server.launch()
    try:
        server.ready()
        assert server.port != redis_server.port
    finally:
        server.stop()
        server.discard()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
def test_a_wheel_in_a_closed_folder_is_copied_to_where_the_account_can_reach_it(tmp_path: Path) -> None:
    account, wheel = server_account(), _wheel_postgres()
    assert account is not None
    assert wheel is not None
    closed = tmp_path / secrets.token_hex(4)
    closed.mkdir(mode=0o700)
    package = wheel.parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        (closed / folder.name).symlink_to(folder)
    install = closed / package.name / wheel.parent.name
    with pytest.raises(PermissionError):
        tried([install / "bin" / "postgres", "--version"], account)
    reachable = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        reachable.chmod(0o755)
        copy = copied(install, closed / f"{package.name}.libs", "18", into=reachable)
        assert "PostgreSQL" in tried([copy / "postgres", "--version"], account)
        assert "PostgreSQL" in tried([copy / "initdb", "--version"], account)
        assert copied(install, closed / f"{package.name}.libs", "18", into=reachable) == copy
        assert len(list(reachable.iterdir())) == 1
        copy.parent.parent.parent.chmod(0o777)  # anyone may have changed it
        with pytest.raises(Problem, match="cannot write"):
            copied(install, None, "18", into=reachable)
    finally:
        shutil.rmtree(reachable)
    assert closed.stat().st_mode & 0o777 == 0o700


def _family(pid: int | None) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]
