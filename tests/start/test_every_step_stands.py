"""The tree at each step of the ladder: it imports on every backend, it boots, and at the start it does its work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from accepted.ladder import ROOT, START, compose, rungs
from accepted.stack.run import Stack

STEPS = range(len(rungs()) + 1)
BROKERS = {
    "rq": "redis://127.0.0.1:9/0",
    "celery-redis": "redis://127.0.0.1:9/0",
    "celery-rabbitmq": "amqp://guest:guest@127.0.0.1:9/",
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("steps")
    return [compose(folder / f"step-{done}", done) for done in STEPS]


def importing(backend: str, *trees: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.start.importing", BROKERS[backend], *map(str, trees)]
    env = os.environ | {"BACKEND": backend}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("backend", BROKERS)
def test_every_module_of_every_step_can_be_imported(backend: str, trees: list[Path]) -> None:
    done = importing(backend, *trees)
    assert done.returncode == 0, done.stderr


def test_a_step_that_can_not_be_imported_is_noticed(tmp_path: Path) -> None:
    tree = compose(tmp_path / "tree", 0)
    (tree / "shared" / "effects.py").write_text("from .core import NothingOfThatName\n")
    done = importing("rq", tree)
    assert done.returncode == 1
    assert "NothingOfThatName" in done.stderr


@pytest.mark.parametrize("step", [0, 9])
def test_a_step_boots_and_is_ready(step: int, trees: list[Path], tmp_path: Path) -> None:
    with Stack(trees[step] if step else START, runs=tmp_path / "runs") as stack:
        web, stream = stack.addresses.web, stack.addresses.stream
        assert httpx.get(f"{web}/healthz", timeout=10, trust_env=False).json() == {"status": "alive"}
        ready = httpx.get(f"{web}/readyz", timeout=10, trust_env=False).json()
        assert ready == {"status": "ready", "postgres": "up", "broker": "up"}
        assert httpx.get(f"{stream}/healthz", timeout=10, trust_env=False).is_success
        # The contract is the repository's, so a tree elsewhere has none.
        assert httpx.get(f"{web}/openapi.yaml", timeout=10, trust_env=False).is_success == (step == 0)


def test_on_a_sunny_day_the_app_that_everyone_ships_first_does_its_work() -> None:
    command = [sys.executable, "-m", "accepted.cli", "demo", "--sunny", "--json", "--tree", str(START)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    closing = json.loads(done.stdout) if done.stdout else {}
    assert done.returncode == 0, done.stderr or closing
    assert closing["accepted"] == closing["done"] > 100
    assert closing["effects"] == {"charge": 1, "email": 1, "webhook": closing["done"] - 4, "report": 1}
