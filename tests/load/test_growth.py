"""A planted leak is found, in figures and in a real process; what only wavers is not taken for one."""

import math
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import psutil
import pytest

from accepted.load.leak import growth, least_slope
from accepted.stack.processes import until

# Says how much it holds, then holds so much more with every line that it reads.
LEAKY = """
import sys
held = []
for line in sys.stdin:
    held.append(bytearray(int(line)))
    print(len(held), flush=True)
"""


def test_a_leak_is_found_in_noise_that_is_greater_than_a_minute_of_it() -> None:
    random = Random(1)
    leaks = [(float(at), 100 + 2.0 * at / 60 + random.gauss(0, 3)) for at in range(600)]
    wavers = [(at, mib - 2.0 * at / 60) for at, mib in leaks]
    assert 1.0 < 60 * least_slope(leaks) <= 2.2
    assert least_slope(wavers) * 60 < 0.3


def test_a_cache_that_fills_at_once_and_a_spike_are_no_leak() -> None:
    fills = [(float(at), 100.0 if at < 15 else 160.0) for at in range(100)]
    spikes = [(float(at), 400.0 if at == 50 else 100.0) for at in range(100)]
    assert least_slope(fills) == least_slope(spikes) == 0.0


def test_only_the_phase_counts_and_who_was_hardly_seen_is_left_out() -> None:
    samples = [{"at": float(at), "memory": {"web": max(at, 30.0), "gone": float(at)} if at < 35 else {"web": 60.0}}
               for at in range(60)]  # fmt: skip
    assert growth(samples, 40, 60) == {"web": 0.0}
    assert growth([{"at": 1.0}], 0, 9) == {}


@pytest.fixture
def leaky() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", LEAKY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


@pytest.mark.parametrize(("each", "found"), [(2**20, True), (16, False)])
def test_a_process_that_leaks_is_told_from_one_that_works_as_much(
    leaky: subprocess.Popen[str], each: int, found: bool
) -> None:
    assert leaky.stdin
    assert leaky.stdout
    samples = []
    for second in range(20):
        leaky.stdin.write(f"{each}\n")
        leaky.stdin.flush()
        assert int(leaky.stdout.readline()) == second + 1
        samples.append({"at": float(second), "memory": {"web": psutil.Process(leaky.pid).memory_info().rss / 2**20}})
    grown = growth(samples, 0, 20)["web"]
    assert math.isclose(grown, 60, rel_tol=0.1) if found else grown < 1
    leaky.stdin.close()
    assert until(lambda: leaky.poll() is not None, 30)
