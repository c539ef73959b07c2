"""The harness on real servers: it finds what is planted, loads a real tree, breaks where the tree is broken."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jsonschema
import psutil
import pytest

from accepted.load.bundle import read_lines
from accepted.load.driving import Generator
from accepted.load.plan import Objects, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.selftest import missed, self_test
from accepted.stack import ports
from accepted.stack.errors import Problem
from accepted.stack.health import Http
from accepted.stack.processes import until
from accepted.stack.state import root

SMALL = Path(__file__).parent / "small.yaml"
KILL = Path(__file__).parent / "kill.yaml"
VALID = {0, 97, 98, 99}  # a starved machine may make any run invalid, never wrong


def test_a_harness_that_misses_what_is_planted_says_so_and_one_that_meets_less_is_told() -> None:
    found = self_test(losing=(20, 60), doubling=(40, 80))
    assert any("3 jobs were lost, and 2 reported" in each for each in found.missed)
    assert not any("duplicated" in each for each in found.missed)
    assert len(found.account.lost) == 2


def test_a_planted_stall_is_seen_by_those_who_should_have_left_meanwhile_and_not_by_one_client_in_closed_loop() -> None:
    found = self_test()
    assert len(found.account.lost) == 3
    assert len(found.account.duplicated) == 2
    took = sorted(row.took("accept") or 0 for row in found.account.rows)
    assert took[-1] > 1.95, "who came at the begin of the stall waited for all of it"
    assert sum(each > 0.9 for each in took) > 50, "and so did, in part, all who came after"
    assert found.closed_p95 < 0.5, "a client that waits for its answer sends one request into the stall: p95 is blind"
    shorter = self_test(stall=1.0)
    assert any("longest" in each for each in missed(shorter.account))


def requests(rate: float, seconds: float, patience: float = 5) -> Scenario:
    phases = (Phase("steady", seconds, rate),)
    return Scenario("try", "", (Work("payout.send", 1),), phases, arrivals="constant", patience=patience)


def test_a_server_that_is_away_refuses_and_the_arrivals_go_on_by_the_clock(tmp_path: Path) -> None:
    wanted = plan(arrivals(requests(50, 2)), {"acme": Objects("t", [], [1])}, "r")
    with Generator(tmp_path, f"http://127.0.0.1:{ports.free_port()}", wanted, 5) as generator:
        zero = time.time() + 0.5
        generator.go(zero)
        assert generator.listen(30)
        lines = generator.lines()
    assert len(lines) == 100
    assert {line["status"] for line in lines} == {0}
    assert all("Refused" in line["error"] for line in lines)
    assert generator.told["failed"] == 100


def test_a_generator_that_is_killed_ends_the_run_with_its_last_words(tmp_path: Path) -> None:
    wanted = plan(arrivals(requests(5, 60)), {"acme": Objects("t", [], [1])}, "r")
    with Generator(tmp_path, "http://127.0.0.1:9", wanted, 5) as generator:
        generator.go(time.time())
        assert not generator.listen(0.5)
        os.kill(generator.pid, signal.SIGKILL)
        with pytest.raises(Problem, match="load generator died"):
            generator.listen(20)


def test_a_stop_sends_no_more_and_keeps_what_was_sent(tmp_path: Path) -> None:
    port = ports.free_port()
    server = subprocess.Popen([sys.executable, "-m", "accepted.load.planted", str(port)])
    try:
        assert until(lambda: Http(port).met(0), 30)
        wanted = plan(arrivals(requests(20, 60)), {"acme": Objects("t", [], [1])}, "r")
        with Generator(tmp_path, f"http://127.0.0.1:{port}", wanted, 5) as generator:
            generator.go(time.time())
            until(lambda: generator.listen(0.2) or generator.told.get("answered", 0) > 10, 30)
            generator.stop()
            assert generator.listen(20)
            assert 10 < generator.told["sent"] < 400
            assert len(generator.lines()) == generator.told["sent"]
        taken = httpx.get(f"http://127.0.0.1:{port}/truth", trust_env=False).json()["jobs"]
        assert len(taken) == generator.told["sent"]
    finally:
        server.kill()
        server.wait(10)


def load(*words: str, results: Path, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in ("TREE", "BACKEND")}
    command = [sys.executable, "-m", "accepted.cli", "load", *words, "--results", str(results)]
    return subprocess.run(command, env=environ, cwd=root(), capture_output=True, text=True, timeout=seconds)


def test_a_small_run_on_the_reference_loses_nothing_and_its_bundle_fits_its_schemas(tmp_path: Path) -> None:
    done = load(str(SMALL), "--json", results=tmp_path)
    assert done.returncode in VALID - {97}, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["code"] == done.returncode
    summary = told["summary"]
    assert [summary[name] for name in ("lost", "stuck", "duplicated", "phantom")] == [[], [], [], []]
    counts = summary["counts"]
    assert counts["sent"] == counts["accepted"] == counts["planned"] > 40
    assert counts["parked"] > 0, "the poisoned ones"
    bundle = Path(told["bundle"])
    schemas = root() / "loadtests" / "schema"
    for name in ("manifest", "faults", "summary", "verdict"):
        rules = json.loads((schemas / f"{name}.json").read_text())
        jsonschema.validate(json.loads((bundle / f"{name}.json").read_text()), rules)
    for name in ("events", "samples"):
        rules = json.loads((schemas / f"{name}.json").read_text())
        rows = read_lines(bundle / f"{name}.jsonl.gz")
        assert rows
        for row in rows:
            jsonschema.validate(row, rules)
    page = (bundle / "report.html").read_text()
    assert "<svg" in page
    assert "http" not in page.split("<h2>The load generator")[0], "nothing is fetched"


def test_ctrl_c_in_the_middle_ends_everything_and_judges_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "accepted.cli", "load", str(SMALL), "--results", str(tmp_path)]
    process = subprocess.Popen(command, cwd=root(), stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr
    for line in process.stderr:
        if "warmup" in line or "steady" in line:
            break
    whole = psutil.Process(process.pid).children(recursive=True)
    assert len(whole) > 5
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "nothing is left running" in rest
    assert until(lambda: not any(each.is_running() for each in whole), 10)
    process.stderr.close()


@pytest.mark.parametrize(("tree", "keeps"), [("solutions", True), ("exercises/start", False)])
def test_a_killed_worker_costs_the_first_app_jobs_and_the_reference_none(
    tmp_path: Path, tree: str, keeps: bool
) -> None:
    done = load(str(KILL), "--tree", tree, "--json", results=tmp_path)
    told = json.loads(done.stdout)
    summary = told["summary"]
    assert summary["duplicated"] == summary["phantom"] == []
    assert (summary["lost"] + summary["stuck"] == []) == keeps, done.stderr
    if told["code"] != 98:  # a starved machine
        assert (told["code"] == 0) == keeps
    faults = json.loads((Path(told["bundle"]) / "faults.json").read_text())["faults"]
    assert [each["fault"] for each in faults] == ["kill_worker"]
    assert 4.9 < faults[0]["at"] < 8, "three seconds into its phase"


def test_broker_partner_and_processes_may_go_and_come_back_under_load(tmp_path: Path) -> None:
    done = load(str(SMALL.with_name("troubles.yaml")), "--json", results=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode in {0, 98}, done.stdout
    assert told["summary"]["counts"]["done"] == told["summary"]["counts"]["planned"] > 80
    faults = json.loads((Path(told["bundle"]) / "faults.json").read_text())["faults"]
    assert [each["fault"] for each in faults] == ["restart_broker", "stop_partner", "stop_partner is over", "deploy"]
