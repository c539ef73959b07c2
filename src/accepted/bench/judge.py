"""judge: what the harness measures, beside what can be worked out on paper, and beside a closed loop.

A server answers at once, but for a stall of eight seconds. Fifty arrivals a second, evenly: whoever should have left x
before the stall's end waits x, so the median, p99 and longest accept time are known. Counted: how far the measured ones
are off, which may be two in a hundred. Below, shown and not judged: Locust's own figures for the same schedule when two
clients send it, each waiting for its answer: those who would have come meanwhile never leave, and nearly all that is
measured is what came after. A round whose requests left late measured nothing.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from accepted.bench.measure import Bound, Figure, Invalid
from accepted.bench.room import Room
from accepted.load.aside import serving
from accepted.load.driving import Generator
from accepted.load.plan import Objects, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.slo import at_quantile, shown
from accepted.load.verdict import LEAST_LAG

RATE, BEFORE, STALL, AFTER = 50.0, 0.5, 8.0, 1.5  # arrivals/s, then seconds
CLIENTS = 2
TOLERANCE = 0.02
PATIENCE = 30.0  # s
QUANTILES = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
LOCUSTS = {"p50": "p50_ms", "p99": "p99_ms", "longest": "max_ms"}


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    paper = on_paper()
    rounds = []
    for _ in range(room.rounds):
        rounds.append(_measured())
        room.say("judge: " + ", ".join(f"{name} {shown(rounds[-1][name], 's')}, {shown(paper[name], 's')} on paper"
                                       for name in QUANTILES))  # fmt: skip
    own = _in_closed_loop()
    figures = []
    for name in QUANTILES:
        off = [1e3 * abs(found[name] - paper[name]) for found in rounds]
        bound = Bound("most", 1e3 * TOLERANCE * paper[name], every=True)
        figures.append(Figure("judge", f"{name}, off the paper's", "ms", off, bound,
                              shown(rounds[-1][name], "s"), f"{shown(paper[name], 's')} on paper"))  # fmt: skip
    for name, key in LOCUSTS.items():
        told = float(own[key]) / 1e3
        figures.append(Figure("judge", f"{name} by Locust, {CLIENTS} clients in closed loop", "ms", [1e3 * told],
                              Bound("shown"), shown(told, "s"), f"{shown(paper[name], 's')} on paper"))  # fmt: skip
    known = f"{RATE:g} arrivals/s for {BEFORE + STALL + AFTER:g} s, a stall of {STALL:g} s from {BEFORE:g} s on"
    return figures, {"schedule": known}


def on_paper() -> Mapping[str, float]:
    """Seconds; an answer itself takes none."""
    due = [n / RATE for n in range(int(RATE * (BEFORE + STALL + AFTER)))]
    waits = [max(0.0, BEFORE + STALL - at) if at >= BEFORE else 0.0 for at in due]
    return {name: at_quantile(waits, part, "lte") or 0.0 for name, part in QUANTILES.items()}


def _measured() -> Mapping[str, float]:
    lines, _ = _meet(None)
    took = [line["t_acc"] - line["t_int"] for line in lines if "t_acc" in line]
    if len(took) != len(lines) or not took:
        raise Invalid(f"judge: {len(lines) - len(took)} of {len(lines)} requests were not answered")
    lag = at_quantile([line["t_send"] - line["t_int"] for line in lines], 0.99, "lte") or 0.0
    if lag > LEAST_LAG:
        raise Invalid(f"judge: requests left {shown(lag, 's')} late (p99), and {shown(LEAST_LAG, 's')} is the most")
    return {name: at_quantile(took, part, "lte") or 0.0 for name, part in QUANTILES.items()}


def _in_closed_loop() -> Mapping[str, Any]:
    return _meet(CLIENTS)[1]


def _meet(clients: int | None) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """What became of each request, and Locust's own figures."""
    whole = BEFORE + STALL + AFTER
    scenario = Scenario("judge", "", (Work("payout.send", 1),), (Phase("steady", whole, RATE),), arrivals="constant")
    requests = plan(arrivals(scenario), {"acme": Objects("token", [], [1])}, "judge")
    with serving("planted") as host, tempfile.TemporaryDirectory(prefix="accepted-") as folder:
        with Generator(Path(folder), host, requests, PATIENCE, clients=clients) as generator:
            zero = time.time() + 1
            stall = {"stall": [zero + BEFORE, zero + BEFORE + STALL], "losing": [], "doubling": []}
            httpx.put(f"{host}/plan", json=stall, timeout=10, trust_env=False).raise_for_status()
            generator.go(zero)
            if not generator.listen(whole + PATIENCE + 30):
                raise Invalid("judge: the generator was not done in time")
            return generator.lines(), generator.told["locust"]
