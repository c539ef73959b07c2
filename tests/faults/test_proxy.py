"""The proxy between real processes and a real Postgres and Redis: it names, kills, cuts and silences."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from accepted.faults.crossings import Crossing, Target
from accepted.faults.proxy import Proxies
from accepted.faults.strike import owner_of
from accepted.stack.processes import gone, until


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    with Proxies() as found:
        yield found


def through(proxies: Proxies, url: str, service: str, protocol: str) -> str:
    parts = urlsplit(url)
    port = proxies.listen("teller", service, protocol, parts.hostname or "", parts.port or 0)
    return url.replace(f":{parts.port}", f":{port}")


TELLER = """
import psycopg, sys
with psycopg.connect(sys.argv[1], autocommit=True) as c:
    for n in range(int(sys.argv[2])):
        c.execute("INSERT INTO told VALUES (%s)", (n,))
        print(n, flush=True)
"""


@pytest.mark.parametrize(
    ("mode", "rows", "heard"),
    [("before", 2, 2), ("after", 3, 2), ("reply", 3, 3)],
)
def test_a_process_dies_exactly_where_it_was_aimed_at(
    proxies: Proxies, blank_postgres_url: str, mode: str, rows: int, heard: int
) -> None:
    """Before: the third row is not there. After: it is, and the process never heard. Reply: it is, and it heard."""
    with psycopg.connect(blank_postgres_url, autocommit=True) as own:
        own.execute("CREATE TABLE told (n int)")
        dead: list[int] = []

        def strike(crossing: Crossing, port: int) -> bool:
            owner = owner_of(port, [psutil.Process(teller.pid)])
            assert owner is not None
            owner.kill()
            assert until(lambda: gone(owner), 5)
            dead.append(owner.pid)
            return False

        url = through(proxies, blank_postgres_url, "postgres", "postgresql")
        target = Target("teller", "postgres", "insert told", 3, mode)  # type: ignore[arg-type]
        window = proxies.open(target, strike)
        teller = subprocess.Popen([sys.executable, "-c", TELLER, url, "9"], stdout=subprocess.PIPE, text=True)
        said, _ = teller.communicate(timeout=20)
        assert window.fired.wait(5)
        assert window.trouble is None
        assert dead == [teller.pid]
        count = own.execute("SELECT count(*) FROM told").fetchone()
        assert count == (rows,)
        assert len(said.split()) == heard


def test_a_crossing_that_was_under_way_when_the_window_opened_counts_as_waiting(
    proxies: Proxies, redis_url: str
) -> None:
    with contextlib.closing(redis.Redis.from_url(through(proxies, redis_url, "redis", "redis"))) as client:
        asking = subprocess.Popen(
            [sys.executable, "-c", "import redis,sys; redis.Redis.from_url(sys.argv[1]).blpop('q', 5)",
             through(proxies, redis_url, "redis", "redis")],
        )  # fmt: skip
        assert until(lambda: "redis: BLPOP" in proxies.waiting("teller"), 10)
        window = proxies.open()
        client.rpush("q", "a")
        assert asking.wait(10) == 0
        shown = [
            (one.name, one.ordinal, one.waiting) for one in window.shown() if one.name.startswith(("BLPOP", "RPUSH"))
        ]
        assert shown == [("BLPOP", 1, True), ("RPUSH q", 1, False)]


def test_a_silent_line_answers_late_and_a_cut_one_never(proxies: Proxies, blank_postgres_url: str) -> None:
    url = through(proxies, blank_postgres_url, "postgres", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        end = proxies.silence("teller", "postgres")
        import threading

        threading.Timer(0.5, end).start()
        began = time.monotonic()
        connection.execute("SELECT 1")
        assert time.monotonic() - began > 0.4
        assert proxies.cut("teller") == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_a_line_whose_server_is_down_refuses(proxies: Proxies) -> None:
    from accepted.stack.ports import free_port

    port = proxies.listen("teller", "redis", "redis", "127.0.0.1", free_port())
    with contextlib.closing(redis.Redis(port=port, socket_timeout=2, retry=None)) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
