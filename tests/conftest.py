"""Real servers for every test that asks: PostgreSQL, Redis and RabbitMQ once per xdist worker, a database of its own
per test. Only RabbitMQ may be missing.

Nothing starts before a test wants it. DATABASE_URL, ACCEPTED_POSTGRES and ACCEPTED_REDIS choose the servers
as they do for
`accepted up`; REDIS_URL does not, because the tests empty their Redis.
"""

import gc
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from accepted.stack import databases, ports
from accepted.stack.child import Spec
from accepted.stack.given import GivenPostgres
from accepted.stack.health import Http
from accepted.stack.logs import Logs
from accepted.stack.memory import folder_in_memory
from accepted.stack.postgres import Postgres
from accepted.stack.rabbitmq import RabbitMQ, find_rabbitmq
from accepted.stack.redis import Redis, flush
from accepted.stack.runner import Runner
from accepted.stack.servers import choose_postgres, choose_redis
from accepted.stack.tether import Tether

ROOT = Path(__file__).resolve().parent.parent


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: servers that boot and workers that are killed are mostly waited for."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ex", action="append", type=int, help="Of what is played for each exercise only this one's.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("--ex")
    others = [each for each in items if asked and isinstance(each, pytest.Function) and not _is_of(each, asked)]
    config.hook.pytest_deselected(items=others)
    items[:] = [each for each in items if each not in others]


def _is_of(item: pytest.Function, numbers: Sequence[int]) -> bool:
    return hasattr(item, "callspec") and item.callspec.params.get("number") in numbers


@pytest.fixture(scope="module", autouse=True)
def environment_is_left_as_found() -> Iterator[None]:
    """What one file of tests leaves in the environment would decide how the next one goes, in a random order."""
    before = dict(os.environ)
    yield
    gc.collect()  # a connection that was left open warns here, in the file that left it, and not in somebody else's
    after = dict(os.environ)
    for each in (before, after):
        each.pop("PYTEST_CURRENT_TEST", None)
    assert after == before


@pytest.fixture(scope="session")
def tether() -> Iterator[Tether]:
    """Ends what this test process started, should it die by SIGKILL."""
    tether = Tether(f"tests-{secrets.token_hex(6)}")
    yield tether
    tether.release()


@pytest.fixture(scope="session")
def servers_folder(tether: Tether, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the servers keep data and logs."""
    with folder_in_memory("tests", tether, tmp_path_factory.mktemp("servers")) as folder:
        (folder / "logs").mkdir()
        yield folder


@pytest.fixture(scope="session")
def postgres_server(tether: Tether, servers_folder: Path) -> Iterator[Postgres | GivenPostgres]:
    """The PostgreSQL of this worker."""
    server = choose_postgres(servers_folder, servers_folder / "logs", tether, "tests", print)
    try:
        server.launch()
        server.ready()
        yield server
    finally:
        server.stop()
        server.discard()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres | GivenPostgres) -> Iterator[str]:
    """Name of a database at the newest revision, to copy."""
    from billing.db import migrate

    name = f"template_{secrets.token_hex(6)}"
    migrate(databases.create(postgres_server.url, name))
    yield name
    databases.drop(postgres_server.url, name)


@pytest.fixture
def postgres_url(postgres_server: Postgres | GivenPostgres, migrated_template: str) -> Iterator[str]:
    """A migrated, empty database of this test's own (about 50 ms)."""
    name = f"test_{secrets.token_hex(6)}"
    yield databases.create(postgres_server.url, name, template=migrated_template)
    databases.drop(postgres_server.url, name)


@pytest.fixture
def blank_postgres_url(postgres_server: Postgres | GivenPostgres) -> Iterator[str]:
    """A database of this test's own without any table."""
    name = f"test_{secrets.token_hex(6)}"
    yield databases.create(postgres_server.url, name)
    databases.drop(postgres_server.url, name)


@pytest.fixture(scope="session")
def redis_server(tether: Tether, servers_folder: Path) -> Iterator[Redis]:
    """The Redis of this worker."""
    environ = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    server = choose_redis(servers_folder, servers_folder / "logs", tether, "tests", print, environ)
    assert isinstance(server, Redis)
    try:
        server.launch()
        server.ready()
        yield server
    finally:
        server.stop()
        server.discard()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An empty Redis."""
    flush(redis_server.url)
    return redis_server.url


@pytest.fixture(scope="session")
def rabbitmq_server(tether: Tether, servers_folder: Path) -> Iterator[RabbitMQ]:
    """The RabbitMQ of this worker; a node takes about five seconds to boot. Skips where none is installed."""
    scripts = find_rabbitmq()
    if scripts is None:
        pytest.skip("RabbitMQ is not installed (make rabbitmq)")
    server = RabbitMQ(scripts, servers_folder / "rabbitmq", servers_folder / "logs" / "rabbitmq.log", tether, "tests")
    try:
        server.launch()
        server.ready(120)
        yield server
    finally:
        server.stop()
        server.discard()


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """A RabbitMQ without any queue of ours."""
    from app.on_celery import topology
    from app.on_celery.to_rabbitmq import connect

    yield rabbitmq_server.url
    connection = connect(rabbitmq_server.url)
    with connection, connection.channel() as channel:
        for name in (*topology.NAMES, topology.DEAD, topology.MARK):
            channel.queue_delete(name)


@pytest.fixture
def app_environment(monkeypatch: pytest.MonkeyPatch, postgres_url: str, redis_url: str) -> Iterator[None]:
    """This very process as a process of the tree: its settings name this test's database and Redis."""
    from billing import db
    from billing.settings import settings

    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("BROKER_URL", redis_url)
    monkeypatch.setenv("SECRET_KEY", secrets.token_urlsafe(32))
    settings.cache_clear()
    db.dispose()
    yield
    db.dispose()
    settings.cache_clear()


@dataclass(frozen=True)
class ThirdParty:
    """A simulated third party: `url` for the tree's environment, its process under `name` in `runner`, its
    files in `folder`.
    """

    url: str
    name: str
    runner: Runner
    folder: Path


def _third_party(
    name: str, command: str, port: int, url: str, folder: Path, tether: Tether, done: ExitStack
) -> ThirdParty:
    logs = Logs(folder / "logs")
    done.callback(logs.close)
    runner = Runner(env=os.environ, cwd=ROOT, logs=logs, tether=tether, grace=5)
    done.callback(runner.close)
    runner.add(Spec(name, command, restart="never", health=Http(port)))
    runner.start()
    runner.wait_healthy(20)
    return ThirdParty(url, name, runner, folder)


@pytest.fixture(scope="module")
def partner(tether: Tether, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThirdParty]:
    """The simulated partner (payments, e-mails, webhook receivers), with an empty ledger per module."""
    port, folder = ports.free_port(), tmp_path_factory.mktemp("partner")
    command = f"python -m accepted.partner --port {port} --ledger '{folder / 'ledger.jsonl'}'"
    with ExitStack() as done:
        yield _third_party("partner", command, port, f"http://127.0.0.1:{port}", folder, tether, done)


@pytest.fixture
def partner_url(partner: ThirdParty) -> str:
    """Base URL of the simulated partner: PARTNER_URL and EMAIL_URL."""
    return partner.url


@pytest.fixture(scope="module")
def object_store(tether: Tether, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThirdParty]:
    """The local object store, empty per module."""
    port, folder, secret = ports.free_port(), tmp_path_factory.mktemp("store"), secrets.token_hex(16)
    command = f"python -m accepted.store --port {port} --root '{folder / 'objects'}' --secret {secret}"
    url = f"http://127.0.0.1:{port}/artifacts?secret={secret}"
    with ExitStack() as done:
        yield _third_party("store", command, port, url, folder, tether, done)


@pytest.fixture
def object_store_url(object_store: ThirdParty) -> str:
    """OBJECT_STORE_URL of the local object store."""
    return object_store.url
