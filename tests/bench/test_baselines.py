"""The baselines do what they say, on real servers; and the settings that are read back are the effective ones."""

import importlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis
from rq import Queue

from accepted.bench import bare_relay, beside, work_rows
from accepted.bench.effective import servers
from accepted.bench.export import MB, _Peak
from accepted.bench.measure import Invalid
from accepted.stack import processes
from accepted.stack.databases import at


@pytest.fixture
def database(postgres_url: str) -> psycopg.Connection:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("INSERT INTO tenants (id, name, token_hash) VALUES ('acme', 'Acme', 'x')")
        yield connection


def count(connection: psycopg.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]  # type: ignore


def test_the_bare_relay_carries_every_row_once(database: psycopg.Connection, postgres_url: str, redis_url: str):
    database.execute(bare_relay.TABLE)
    database.execute(bare_relay.FILL, (1_200,))
    broker = beside.broker("rq")(redis_url)
    assert bare_relay.carry(postgres_url, broker) == 1_200
    broker.close()
    with Redis.from_url(redis_url) as broker:
        queue = Queue("bare", connection=broker)
        assert queue.count == 1_200 and len(set(queue.job_ids)) == 1_200
    assert count(database, "SELECT count(*) FROM bare_rows WHERE published_at IS NULL") == 0


def test_the_bare_route_makes_two_rows_and_an_answer_as_long_as_the_systems(
    database: psycopg.Connection, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("BARE_BYTES", "600")
    sys.modules.pop("accepted.bench.bare_web", None)
    bare_web = importlib.import_module("accepted.bench.bare_web")

    database.execute(bare_web.TABLES)
    answer = bare_web.app.test_client().post("/reports", json={"format": "csv"})
    bare_web.connection().close()
    assert answer.status_code == 202 and len(answer.data) == 600
    assert count(database, "SELECT count(*) FROM bare_jobs JOIN bare_outbox ON job_id = bare_jobs.id") == 1


def test_accepted_no_ops_are_what_the_relay_and_the_workers_expect(database: psycopg.Connection):
    ids = work_rows.accept(database, 1_100)
    assert len(set(ids)) == 1_100
    assert count(database, "SELECT count(DISTINCT xact) FROM job_events") == 3, "five hundred in a transaction"
    whole = "SELECT count(*) FROM jobs JOIN job_events e ON e.job_id = id JOIN outbox o ON o.job_id = jobs.id"
    assert count(database, whole) == 1_100
    work_rows.accept(database, 5, publish=False)
    assert count(database, "SELECT count(*) FROM outbox") == 1_100
    work_rows.clear(database)
    assert count(database, "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM outbox)") == 0


def test_who_reads_the_tables_in_another_order_while_they_are_cleared_costs_a_second_and_nothing_else(
    database: psycopg.Connection, postgres_url: str
):
    work_rows.accept(database, 5)
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    with (
        psycopg.connect(postgres_url) as relay,
        psycopg.connect(postgres_url, autocommit=True) as eye,
        ThreadPoolExecutor(1) as pool,
    ):
        relay.execute("SET deadlock_timeout = '1min'")  # so that it is the other side that PostgreSQL ends
        relay.execute("SELECT FROM outbox")
        cleared = pool.submit(work_rows.clear, database)
        assert processes.until(lambda: count(eye, waits) == 1, 10), "it has jobs, and waits for the outbox"
        assert count(relay, "SELECT count(*) FROM jobs") == 5, "and the relay, for jobs: a deadlock"
        relay.commit()
        cleared.result(10)
    assert count(database, "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM outbox)") == 0


def test_a_server_on_which_a_commit_is_no_commit_is_not_measured(postgres_url: str, redis_url: str):
    env = {"DATABASE_URL": postgres_url, "BROKER_URL": redis_url}
    found = servers(env)
    assert found["fsync"] == found["synchronous_commit"] == "on" and found["redis appendonly"] == "yes"
    name = postgres_url.rsplit("/", 1)[1]
    with psycopg.connect(at(postgres_url, "postgres"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    with pytest.raises(Invalid, match="synchronous_commit = off"):
        servers(env)


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is read from /proc")
def test_a_peak_of_memory_is_seen_although_nobody_looked_at_that_moment(tmp_path: Path):
    program = (
        "import sys; block = bytearray(90_000_000); del block; print('warm', flush=True); sys.stdin.readline();"
        "block = bytearray(70_000_000); del block; print('done', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as run:
        assert run.stdin and run.stdout
        assert run.stdout.readline() == "warm\n"
        worker = psutil.Process(run.pid)
        idle = worker.memory_info().rss
        memory = _Peak(worker)
        print(file=run.stdin, flush=True)
        assert run.stdout.readline() == "done\n"
        assert 65 * MB < memory.peak() - idle < 75 * MB, "and the warm-up's higher peak does not count"
        print(file=run.stdin, flush=True)
    assert processes.until(lambda: run.poll() is not None, 5) and time.monotonic() > 0
