"""The spine on Celery with either broker; relay and scheduler beside the test, and workers as real processes."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app.on_celery import broker as port
from app.shared import backend, core

from billing.settings import settings
from tests.spine.conftest import (  # noqa: F401
    Actor,
    Spine,
    actor,
    configure,
    relay_and_scheduler,
    spine,
    until,
)

ACTORS = str(Path(__file__).with_name("actors.py"))
LEASE = 2


@pytest.fixture(params=["redis", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def on_celery(
    spine: Spine,  # noqa: F811
    server: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[core.Broker]:
    """This process as one of the tree's, on Celery with that server."""
    url = request.getfixturevalue(f"{server}_url")
    monkeypatch.setenv("BACKEND", f"celery-{server}")
    monkeypatch.setenv("BROKER_URL", url)
    settings.cache_clear()
    with hung_up(url):
        yield backend.broker()


@pytest.fixture
def house(on_celery: core.Broker, configure: Callable[..., None]) -> Iterator[None]:  # noqa: F811
    """Relay and scheduler at work, with a lease of 2 s and one slot a pool."""
    yield from _at_work(configure)


@contextmanager
def hung_up(url: str) -> Iterator[None]:
    """What this process publishes by is opened afresh, and closed at the end."""
    port.line.cache_clear()
    yield
    port.line(url).close()
    port.line.cache_clear()


@pytest.fixture
def house_on_rabbitmq(rabbitmq_url: str, configure: Callable[..., None]) -> Iterator[None]:  # noqa: F811
    """The same, for a test that has chosen the broker itself."""
    with hung_up(rabbitmq_url):
        yield from _at_work(configure)


def _at_work(configure: Callable[..., None]) -> Iterator[None]:  # noqa: F811
    configure(LEASE=LEASE, IO_SLOTS=1, CPU_SLOTS=1, REAPER_PERIOD=0.4, RETRY_BASE=0.1)
    with relay_and_scheduler():
        yield


@pytest.fixture
def worker(actor: Callable[..., Actor], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Actor]:  # noqa: F811
    """worker("pause"): a worker of the I/O pool, see actors.py."""

    def start(act: str) -> Actor:
        monkeypatch.setenv("ACT", act)
        return actor(command=[ACTORS])

    return start


@pytest.fixture
def acting() -> Callable[[Actor], tuple[int, int]]:
    """(pid, which delivery) of the run that begins."""

    def read(one: Actor) -> tuple[int, int]:
        while not (line := one.line(40)).startswith("acting"):
            pass
        _, pid, delivery, _ = line.split()
        return int(pid), int(delivery)

    return read


def kill_tree(one: Actor) -> None:
    os.killpg(one.pid, signal.SIGKILL)
    one.process.wait(10)
