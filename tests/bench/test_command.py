"""`accepted bench`: its exit status, what it prints, and that it can be stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from accepted.bench import command
from accepted.stack import processes

from .planted import Empty, Fair, Slow


@pytest.fixture(autouse=True)
def planted_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bench in {"slow": Slow, "fair": Fair, "empty": Empty}.items():
        monkeypatch.setitem(sys.modules, f"planted_{name}", bench)
        monkeypatch.setitem(command.BENCHES, name, f"planted_{name}")


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(command.bench, list(arguments))


def test_a_system_that_holds_its_floor_passes():
    done = bench("fair")
    assert done.exit_code == 0, done.output
    assert "at least 0.5 ×  holds" in done.stdout and "fsync on" in done.stdout and "cores" in done.stdout


def test_a_slow_system_is_reported_as_a_fall_and_by_how_much():
    done = bench("slow", "fair")
    assert done.exit_code == 1
    assert "FALLS by" in done.stdout
    assert "planted: turns/s: 0." in done.stderr and "it has to be at least 0.5 ×: missed by" in done.stderr


def test_a_bench_that_measured_nothing_is_an_error_and_does_not_keep_the_others_from_it():
    done = bench("empty", "fair")
    assert done.exit_code == 98
    assert "Not measured: empty: planted: no answer was counted." in done.stderr
    assert "holds" in done.stdout


def test_json_holds_every_round_and_progress_goes_elsewhere():
    done = bench("slow", "--json", "--rounds", "2")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert len(found["figures"][0]["rounds"]) == 2 and found["figures"][0]["held"] is False
    assert found["settings"]["slow"] == {"fsync": "on"} and "python" in found["settings"]["machine"]
    assert "planted: 2 rounds" in done.stderr


def test_quick_is_one_round_and_says_that_it_proves_nothing():
    done = bench("fair", "--quick", "--rounds", "9")
    assert "planted: 1 rounds" in done.stdout and "proves nothing" in done.stdout


def test_an_unknown_bench_is_refused_before_anything_runs():
    done = bench("fair", "bogus")
    assert done.exit_code == 2
    assert "there is no bench bogus; there are accept, relay" in done.stderr and "rounds" not in done.stdout


def test_a_backend_that_there_is_not_is_refused_before_anything_runs():
    done = bench("fair", "--backend", "kafka")
    assert done.exit_code == 1 and "no backend kafka" in str(done.exception) and "rounds" not in done.stdout


def test_the_backend_stands_beside_the_figures():
    done = bench("fair", "--backend", "celery-redis")
    assert done.exit_code == 0, done.output
    assert "backend celery-redis, cores" in done.stdout


def test_ctrl_c_stops_it_and_leaves_no_process_behind(tmp_path: Path):
    program = [sys.executable, str(Path(__file__).with_name("planted.py")), str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        line = next(line for line in run.stdout if "beside" in line)
        beside = psutil.Process(int(line.split()[-1]))
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=20)
    assert run.returncode == 130, errors
    assert "stopped; nothing is left running" in rest and "Traceback" not in errors
    assert processes.until(lambda: processes.gone(beside), 5)
