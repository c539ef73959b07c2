"""pacer: how late requests leave at 1,000 arrivals/s, the generator on one core, against the least that can answer.

Counted: from the moment at which a request should have left, by a schedule drawn before, to the one at which it left;
the p99 of each round. A round that sends less than all, or that is later than the bound, measured nothing: a load
generator that can't keep its schedule has no nicer number to offer.
"""

import os
import tempfile
import time
from pathlib import Path

from accepted.bench.measure import Bound, Figure, Invalid
from accepted.bench.room import Room
from accepted.load.aside import serving
from accepted.load.driving import Generator
from accepted.load.plan import Objects, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.slo import at_quantile

RATE, SECONDS = 1_000.0, 10.0
MOST = 10.0  # ms, p99


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    seconds = room.scaled(int(SECONDS), 2)
    lags, known = [], {}
    for number in range(1, room.rounds + 1):
        p50, p99, known["generator"], busiest = _round(number, seconds)
        room.say(f"pacer: lag p50 {p50:.2f} ms, p99 {p99:.2f} ms, {busiest:.0%} of a core in its busiest half second")
        lags.append(p99)
    if max(lags) > MOST:
        raise Invalid(f"pacer: requests left {max(lags):.1f} ms late (p99), and {MOST:g} ms is the most")
    what = f"lag p99 at {RATE:,.0f} arrivals/s, one core"
    return [
        Figure("pacer", what, "ms", lags, Bound("most", MOST, every=True), f"{max(lags):.1f} ms", "the clock")
    ], known


def _round(seed: int, seconds: float) -> tuple[float, float, str, float]:
    """Lag p50 and p99 in ms, how the generator was scheduled, and its busiest half second as a share of a core."""
    scenario = Scenario("pacer", "", (Work("noop", 1),), (Phase("steady", seconds, RATE),), seed=seed, patience=10)
    requests = plan(arrivals(scenario), {"acme": Objects("token", [], [1])}, "pacer")
    with serving("bare") as host, tempfile.TemporaryDirectory(prefix="accepted-") as folder:
        with Generator(Path(folder), host, requests, 10) as generator:
            cores = "one core of them"
            if hasattr(os, "sched_setaffinity"):
                core = min(os.sched_getaffinity(generator.pid))
                os.sched_setaffinity(generator.pid, {core})
                cores = f"on core {core} alone"
            generator.go(time.time() + 1)
            if not generator.listen(seconds + 60) or int(generator.told["sent"]) < len(requests):
                raise Invalid(f"pacer: {generator.told.get('sent', 0)} of {len(requests)} requests were sent")
            lags = [1e3 * (line["t_send"] - line["t_int"]) for line in generator.lines()]
            priority, busiest = generator.priority, float(generator.told["cpu"])
    p50, p99 = (at_quantile(lags, part, "lte") or 0.0 for part in (0.5, 0.99))
    return p50, p99, f"{priority}, {cores}", busiest
