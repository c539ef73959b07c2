"""The bare brokers and the raw workers: what they say was done was done, and what was not is never a figure."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from accepted.bench import bare_relay, beside, drain, raw_procrastinate
from accepted.bench.beside import WORKERS
from accepted.bench.drain import drained
from accepted.bench.effective import servers
from accepted.bench.measure import Invalid
from accepted.bench.raw_celery import SameDelivery, Stock
from accepted.bench.raw_procrastinate import Procrastinate
from accepted.stack import processes
from accepted.stack.environment import BACKENDS
from accepted.stack.run import Stack


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(request: pytest.FixtureRequest, backend: str) -> str:
    return request.getfixturevalue("rabbitmq_url" if backend == "celery-rabbitmq" else "redis_url")


@pytest.fixture
def broker(backend: str, url: str) -> Iterator[beside.Broker]:
    broker = beside.broker(backend)(url)
    broker.declare("bare")
    broker.empty("bare")
    yield broker
    broker.empty("bare")
    broker.close()


def test_what_was_published_lies_there_until_it_is_taken(broker: beside.Broker):
    ids = [str(uuid4()) for _ in range(700)]
    broker.publish("bare", ids)
    assert broker.depth("bare") == 700
    assert ids[0] in (broker.take("bare", 5) or ""), "the one that waits longest comes first"


def test_nothing_is_taken_from_an_empty_queue(broker: beside.Broker):
    broker.publish("bare", [str(uuid4())])
    broker.empty("bare")
    assert broker.depth("bare") == 0
    assert broker.take("bare", 0.2) is None


def test_the_bare_loop_carries_every_row_once_to_any_broker(broker: beside.Broker, postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute(bare_relay.TABLE)
        database.execute(bare_relay.FILL, (1_200,))
        assert bare_relay.carry(postgres_url, broker) == 1_200
        assert broker.depth(bare_relay.QUEUE) == 1_200
        left = database.execute("SELECT count(*) FROM bare_rows WHERE published_at IS NULL").fetchone()
    assert left == (0,)


def test_the_broker_says_what_it_is(backend: str, url: str, postgres_url: str):
    found = servers({"DATABASE_URL": postgres_url, "BROKER_URL": url})
    assert found["rabbitmq" if backend == "celery-rabbitmq" else "redis"][0].isdigit()


@pytest.mark.parametrize("backend", ["celery-redis"], indirect=True)
def test_a_rate_is_made_only_of_jobs_that_were_each_counted_once(
    broker: beside.Broker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drain, "PATIENCE", 0.3)
    assert drained(broker, "bare", lambda: broker.depth("bare"), 20) > 0
    with pytest.raises(Invalid, match="of 20 raw jobs the workers counted 40"):
        drained(broker, "bare", lambda: 2 * broker.depth("bare"), 20)
    with pytest.raises(Invalid, match="of 20 raw jobs the workers counted 0"):
        drained(broker, "bare", lambda: 0, 20)


@pytest.fixture(params=["celery-redis", "celery-rabbitmq"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    if request.param == "celery-rabbitmq":
        request.getfixturevalue("rabbitmq_server")  # skips where there is none
    with Stack(backend=request.param, runs=tmp_path) as stack:
        yield stack


@pytest.mark.parametrize("side", [SameDelivery, Stock])
def test_raw_celery_does_each_job_once_in_its_children(stack: Stack, side: type[SameDelivery | Stock]):
    with closing(side(stack)) as raw:
        stack.runner.start(raw.name)
        assert processes.until(lambda: raw.workers() == WORKERS, 60), stack.runner.logs.tail(raw.name)
        assert raw.rate(40) > 0
        assert raw.count.stat().st_size == 40 and raw.broker.depth(raw.name) == 0


@pytest.mark.parametrize("stack", ["celery-redis"], indirect=True)
def test_procrastinate_is_counted_by_its_own_events(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    with closing(Procrastinate(stack)) as peer:
        stack.runner.start(peer.name)
        assert processes.until(lambda: peer.workers() == WORKERS, 60), stack.runner.logs.tail(peer.name)
        assert peer.rate(40) > 0
        stack.runner.stop(peer.name)
        peer.clear()
        monkeypatch.setattr(raw_procrastinate, "PATIENCE", 0.3)
        with pytest.raises(Invalid, match="of 40 jobs Procrastinate did 0, in 0 runs"):
            peer.rate(40)
