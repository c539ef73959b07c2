"""Rounds on real servers: stopped in the middle and gone on with; a system that is really slowed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from accepted.compare.slowed import Slowed
from accepted.stack.processes import gone, until
from accepted.stack.run import Stack
from accepted.stack.state import root

TINY = Path(__file__).parent / "tiny.yaml"


def command(results: Path, *words: str) -> list[str]:
    wanted = ["rq", "rq+20%", "--rounds", "1", "--only", "load", "--scenario", str(TINY), "--results", str(results)]
    return [sys.executable, "-m", "accepted.cli", "compare", *wanted, *words]


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("TREE", "BACKEND")}


def test_ctrl_c_costs_the_run_that_it_hits_and_the_same_command_goes_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path), cwd=root(), env=environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    begun = 0
    for line in process.stderr:
        begun += line.startswith("round 1 of 1")
        if begun == 2:  # one run is there, the other has just begun
            break
    whole = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(120) == 130
    assert "The same command goes on" in rest
    assert until(lambda: all(map(gone, whole)), 30)

    (folder,) = tmp_path.iterdir()
    first = (folder / "runs.jsonl").read_text()
    assert len(first.splitlines()) == 1
    done = subprocess.run(
        command(tmp_path, "--json"), cwd=root(), env=environ(), capture_output=True, text=True, timeout=600
    )
    assert "1 runs are there, 1 are left" in done.stderr
    assert done.returncode == 98, f"one round says nothing\n{done.stdout}{done.stderr}"
    found = json.loads(done.stdout)
    assert (found["rounds"], found["promises"]["rq+20%"]["lost"]) == (1, 0)
    assert {one["word"] for each in found["metrics"] for one in each["comparisons"]} <= {
        "too few rounds", "generator-bound"}  # fmt: skip
    text = (folder / "runs.jsonl").read_text()
    assert text.startswith(first), "what was there is not run again"
    assert sorted(json.loads(line)["system"] for line in text.splitlines()) == ["rq", "rq+20%"]
    assert "<svg" in (folder / "report.html").read_text()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads states from /proc")
def test_a_slowed_system_stands_still_for_its_share_and_is_let_go() -> None:
    with Stack(None) as stack, psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        assert stack.postgres.pid
        server = psutil.Process(stack.postgres.pid)
        began = time.monotonic()
        with Slowed(stack, 1.0) as slowed:  # as long again
            assert until(lambda: server.status() == psutil.STATUS_STOPPED, 30, 0.001)
            assert connection.execute("SELECT 1").fetchone() == (1,), "and answers between"
            assert until(lambda: slowed.stood > 1.0, 60)
            share = slowed.stood / (time.monotonic() - began)
        assert 0.3 < share < 0.7, "half of the time"
        everyone = [server, *server.children(recursive=True)]
        assert all(each.status() != psutil.STATUS_STOPPED for each in everyone)
        assert connection.execute("SELECT 1").fetchone() == (1,)
