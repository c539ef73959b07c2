"""A closed loop, which exists to be shown: its clients wait for their answers, and what it says is worth nothing."""

import subprocess
import sys
import time
from pathlib import Path

import httpx

from accepted.load.driving import Generator
from accepted.load.plan import Objects, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.verdict import Conduct, invalid
from accepted.stack import ports
from accepted.stack.health import Http
from accepted.stack.processes import until


def test_no_more_are_under_way_than_there_are_clients(tmp_path: Path) -> None:
    port = ports.free_port()
    server = subprocess.Popen([sys.executable, "-m", "accepted.load.planted", str(port)])
    try:
        assert until(lambda: Http(port).met(0), 60)
        phases = (Phase("steady", 1, 20),)
        scenario = Scenario("try", "", (Work("payout.send", 1),), phases, arrivals="constant", patience=20)
        wanted = plan(arrivals(scenario), {"acme": Objects("t", [], [1])}, "r")
        with Generator(tmp_path, f"http://127.0.0.1:{port}", wanted, 20, clients=2) as generator:
            zero = time.time() + 0.5
            stall = {"stall": [zero, zero + 2], "losing": [], "doubling": []}
            httpx.put(f"http://127.0.0.1:{port}/plan", json=stall, trust_env=False).raise_for_status()
            generator.go(zero)
            assert generator.listen(60)
            lines = generator.lines()
    finally:
        server.kill()
        server.wait(10)
    assert len(lines) == 20
    for line in lines:
        others = [each for each in lines if each["t_send"] < line["t_send"] < each["t_acc"]]
        assert len(others) < 2
    assert sum(line["t_acc"] - line["t_send"] > 1 for line in lines) == 2, "of a stall, each client sees one answer"
    assert sum(line["t_acc"] - line["t_int"] > 1 for line in lines) > 15, "and nearly all should have left meanwhile"


def test_such_a_run_is_invalid() -> None:
    assert any("closed loop" in why for why in invalid(Conduct(lags=[0.0], clients=4), []))
