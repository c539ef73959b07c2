"""What we take of others at once, and which workers listen to what."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from app.shared import caps, pools
from app.shared.backend import broker
from app.shared.core import NotYet

from billing.settings import settings

from .conftest import World

HOLD = (
    "import sys; from app.shared import caps\nwith caps.slot('webhooks'): print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def holder(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a slot until its stdin closes, or it is killed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env=os.environ | env, stdin=pipe, stdout=pipe, text=True
    ) as process:
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def test_the_cap_holds_across_processes_and_a_killed_holder_frees_its_slot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = world.env | {"PARTNER_CONCURRENCY": "2"}
    monkeypatch.setenv("PARTNER_CONCURRENCY", "2")
    settings.cache_clear()
    monkeypatch.setattr(caps, "LONGEST_WAIT", 0.2)
    with ExitStack() as held:
        first = held.enter_context(holder(env))
        held.enter_context(holder(env))
        with pytest.raises(NotYet) as full, caps.slot("webhooks"):
            pass
        assert 0 < full.value.delay <= 1
        with caps.slot("emails"):  # another concern has slots of its own
            pass
        first.kill()
        first.wait(5)
        monkeypatch.setattr(caps, "LONGEST_WAIT", 5)
        with caps.slot("webhooks"):
            monkeypatch.setattr(caps, "LONGEST_WAIT", 0.2)
            with pytest.raises(NotYet), caps.slot("webhooks"):
                pass


def test_a_slot_is_given_back_when_the_call_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTNER_CONCURRENCY", "1")
    settings.cache_clear()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), caps.slot("webhooks"):
            raise ZeroDivisionError
    with caps.slot("webhooks"):
        (locks,) = world.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert locks.count == 1
    (locks,) = world.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert locks.count == 0


def lines() -> dict[str, int]:
    procfile = Path(os.environ.get("TREE", "solutions")) / "Procfile"
    return {line.partition(":")[0]: 1 for line in procfile.read_text().splitlines() if ":" in line}


def test_all_connections_of_the_default_procfile_fit_the_server_with_room() -> None:
    assert {"web", "stream", "relay", "worker-io", "worker-cpu", "scheduler"} <= lines().keys()
    # 100 by default, 3 of them for the superuser; migrations, operators and a second relay want some as well.
    assert caps.total_connections(lines()) <= 60


def test_a_process_that_nobody_planned_for_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="worker-io"):
        caps.connections("worker-gpu")


def test_the_pools_share_the_queues_between_them_and_reports_are_alone(world: World) -> None:
    io, cpu = pools.queues_for("io"), pools.queues_for("cpu")
    port = broker()
    assert cpu == [port.queue_of("report.export")]
    assert sorted(io + cpu) == sorted(port.queues())
    assert io == [queue for queue in port.queues() if queue not in cpu]
    assert (pools.slots("io"), pools.slots("cpu")) == (settings().io_slots, settings().cpu_slots)
    with pytest.raises(ValueError, match="io, cpu"):
        pools.queues_for("gpu")
