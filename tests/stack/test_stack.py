"""A whole run: what the contract promises is there, and afterwards nothing is."""

import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from accepted.stack import databases, ports, processes
from accepted.stack.errors import Problem
from accepted.stack.postgres import Postgres
from accepted.stack.redis import client
from accepted.stack.run import Stack
from accepted.stack.state import RunFolder

AllGone = Callable[..., bool]

WEB = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["TREE"].encode())
    def log_message(self, *_): pass
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Page).serve_forever()
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree that keeps the contract's outside."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "web.py").write_text(WEB)
    (tree / "Procfile").write_text(
        "release: python -c \"import os; open(os.environ['TREE'] + '/released', 'w').close()\"\n"
        "web: python $TREE/web.py\n"
        "relay: python -c \"import time; print('relay runs'); time.sleep(60)\"\n"
    )
    return tree


def _every_pid(stack: Stack) -> list[int]:
    return [process.pid for process in processes.tree(processes.members({}, {stack.run_id}))]


def test_a_tree_gets_its_environment_and_its_run_leaves_nothing(
    tree: Path, tmp_path: Path, all_gone: AllGone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OBJECT_STORE_URL", raising=False)
    with Stack(tree, scale={"relay": 2}, runs=tmp_path / "runs", name="whole", env={"LEASE": "2"}) as stack:
        assert (tree / "released").exists()
        with urllib.request.urlopen(stack.addresses.web) as page:
            assert page.read().decode() == str(tree)
        for url in (stack.env["PARTNER_URL"], stack.env["OBJECT_STORE_URL"].partition("/artifacts")[0]):
            with urllib.request.urlopen(f"{url}/healthz") as answer:
                assert answer.status == 200
        with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        with client(stack.env["BROKER_URL"]) as broker:
            assert broker.ping()
        assert (stack.env["BACKEND"], stack.env["LEASE"]) == ("rq", "2")
        assert len(stack.env["SECRET_KEY"]) >= 32
        assert len(stack.runner.pids("relay")) == 2

        state = RunFolder(tmp_path / "runs" / "whole").load()
        assert state == stack.state
        assert {record.name for record in state.processes} >= {
            "PostgreSQL",
            "web",
            "relay.1",
            "relay.2",
            "partner",
            "store",
        }
        assert (tmp_path / "runs" / "whole" / "state.json").stat().st_mode & 0o077 == 0
        pids, used = _every_pid(stack), [stack.postgres.port, stack.redis.port, stack.addresses.web_port]
        assert len(pids) > 8
        folders = [Path(folder) for folder in state.folders]
    assert all_gone(pids, 0)
    assert not any(ports.answers(port) for port in used)
    assert not any(folder.exists() for folder in folders)
    assert stack.state.phase == "stopped"
    assert "relay runs" in (tmp_path / "runs" / "whole" / "logs" / "relay.1.log").read_text()


def test_servers_alone_need_no_tree_and_a_lost_one_ends_the_run(tmp_path: Path) -> None:
    with Stack(processes=[], runs=tmp_path / "runs") as stack:
        assert stack.wait(0.3) is None
        assert stack.postgres.pid is not None
        stack.postgres.restart(immediate=True)
        assert stack.wait(0.3) is None  # what we do ourselves is no accident
        psutil.Process(stack.postgres.pid).kill()
        problem = stack.wait(10)
    assert problem is not None
    assert "PostgreSQL has ended" in str(problem)


def test_a_boot_that_fails_says_why_and_leaves_nothing(tree: Path, tmp_path: Path, all_gone: AllGone) -> None:
    (tree / "Procfile").write_text('release: echo relation "jobs" is missing; exit 1\nweb: true\n')
    stack = Stack(tree, runs=tmp_path / "runs", name="broken")
    with pytest.raises(Problem, match="release failed: ended with status 1") as failed, stack:
        pytest.fail("it must not come up")
    assert "relation jobs is missing" in failed.value.details
    assert _every_pid(stack) == []
    assert stack.state.phase == "failed"
    assert not RunFolder(tmp_path / "runs" / "broken").is_claimed()


def test_a_named_postgres_gets_a_database_for_the_run_and_loses_it_again(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCEPTED_POSTGRES", raising=False)
    monkeypatch.setenv("DATABASE_URL", postgres_server.url)

    def names() -> set[str]:
        with psycopg.connect(postgres_server.url) as connection:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}

    before = names()
    with Stack(processes=[], runs=tmp_path / "runs") as stack:
        (made,) = names() - before
        assert stack.addresses.database == databases.at(postgres_server.url, made)
        held = psycopg.connect(stack.addresses.database)  # a connection that somebody forgot
    held.close()
    assert names() == before
    assert postgres_server.pid is not None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"backend": "celery-rabbitmq"}, r"BROKER_URL does not work: .*Mend it, or unset it"),
        ({"backend": "kafka"}, r"no backend kafka: there are rq, celery-redis"),
        ({"scale": {"rely": 2}}, r"cannot scale rely: the Procfile has release, web, relay"),
        ({"name": "../x"}, r"cannot name a run"),
        ({"processes": ["wep"]}, r"no process wep: .*has release, web, relay"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    tree: Path, tmp_path: Path, arguments: dict[str, object], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", f"amqp://guest@127.0.0.1:{ports.free_port()}/")
    with pytest.raises(Problem, match=complaint), Stack(tree, runs=tmp_path / "runs", **arguments):  # type: ignore[arg-type]
        pytest.fail("it must not come up")
    assert not (tmp_path / "runs").exists()


def test_a_taken_port_and_an_unwritable_folder_are_named(tree: Path, tmp_path: Path, postgres_server: Postgres) -> None:
    taken = postgres_server.port
    with (
        pytest.raises(Problem, match=rf"port {taken} on 127.0.0.1 is taken.*--web-port N"),
        Stack(tree, runs=tmp_path / "runs", fixed_ports={"web": taken}),
    ):
        pytest.fail("it must not come up")
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=r"cannot write .*/file"), Stack(tree, runs=tmp_path / "file" / "runs"):
        pytest.fail("it must not come up")
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(Problem, match="permission denied"), Stack(tree, runs=tmp_path / "closed" / "runs"):
            pytest.fail("it must not come up")
