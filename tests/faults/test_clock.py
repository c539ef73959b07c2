"""A wrong clock is wrong for a process and its children alone, and only while the block runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from accepted.faults.clock import Words, skewed
from accepted.stack.child import Spec
from accepted.stack.logs import Logs
from accepted.stack.processes import until
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether

# Says what time it is, as it reads it and as a child forked from it does.
CLOCK = """
import datetime, json, os, time
def say(who):
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    print(json.dumps({"who": who, "time": time.time(), "now": now, "waits": time.monotonic()}), flush=True)
if os.fork() == 0:
    say("child"); os._exit(0)
os.wait(); say("parent")
time.sleep(60)
"""


@pytest.fixture
def runner(tether: Tether, tmp_path: Path) -> Iterator[Runner]:
    (tmp_path / "clock.py").write_text(CLOCK)
    runner = Runner(env={}, cwd=tmp_path, logs=Logs(tmp_path / "logs"), tether=tether, grace=1)
    runner.add(Spec("clock", "python clock.py", env={"PYTHONPATH": "elsewhere"}))
    runner.start()
    yield runner
    runner.close()
    runner.logs.close()


def said(runner: Runner, lines: int) -> list[dict[str, float]]:
    """Every clock that was told so far, at least so many."""
    found: list[dict[str, float]] = []

    def enough() -> bool:
        found[:] = [json.loads(line) for line in runner.logs.tail("clock") if '"who"' in line]
        return len(found) >= lines

    assert until(enough, 10), runner.logs.tail("clock")
    return found


def test_a_process_and_its_child_read_a_time_that_is_off_and_the_right_one_afterwards(runner: Runner) -> None:
    for told in said(runner, 2):
        assert abs(told["time"] - time.time()) < 10
    with skewed(runner, "clock", -90) as heard:
        assert heard
        for told in said(runner, 4)[2:]:
            assert told["time"] - time.time() == pytest.approx(-90, abs=10)
            assert told["now"] - time.time() == pytest.approx(-90, abs=10)
            assert abs(told["waits"] - time.monotonic()) < 10  # what measures a wait is not the clock
    for told in said(runner, 6)[4:]:
        assert abs(told["time"] - time.time()) < 10


def test_a_process_that_was_not_heard_is_no_evidence(runner: Runner) -> None:
    (child,) = runner.children()
    child.spec = Spec("clock", "python -S clock.py")  # without its own `site`, nothing is put in front of it
    with skewed(runner, "clock", 90, within=3) as heard:
        assert not heard


def test_its_word_counts_where_it_is_of_this_start_and_of_the_skew_that_was_meant(tmp_path: Path) -> None:
    log = tmp_path / "clock.log"

    def word(shows: float) -> str:
        return json.dumps({"event": "clock is skewed", "shows": shows}) + "\n"

    log.write_text(word(time.time() + 90))  # of the start before
    words = Words(log)
    assert not words.show(90)
    with log.open("a") as file:
        file.write("begins\n" + word(time.time() + 90) + "and says much more\n" * 200)
    assert words.show(90)
    assert not words.show(-90)
    words.began += 3600
    assert not words.show(90), "said long before"
