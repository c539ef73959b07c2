"""Rates that change: a ramp's arrivals and its knee, and arrivals as they were written down."""

from pathlib import Path

import pytest

from accepted.load.account import Row
from accepted.load.knee import knee
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.slo import Objective
from accepted.load.trace import BadTrace, read

RAMP = Phase("ramp", 20.0, 10.0, to=50.0)
PROMISED = [Objective("accept", "lte", 0.5, 0.95, "steady"), Objective("oldest_age", "lte", 1.0, 1.0, "steady")]


def due(phase: Phase, evenly: bool = True) -> list[float]:
    found = Scenario("try", "", (Work("noop", 1),), (phase,), arrivals="constant" if evenly else "poisson")
    return [each.at for each in arrivals(found)]


def test_a_ramp_s_rate_goes_evenly_from_one_to_the_other() -> None:
    for moments, most_off in ((due(RAMP), 0.02), (due(RAMP, evenly=False), 0.35)):
        for begins in (0, 5, 10, 15):
            wanted = 5 * (10 + 2 * (begins + 2.5))
            assert sum(begins <= at < begins + 5 for at in moments) == pytest.approx(wanted, rel=most_off)
    down = due(Phase("ramp", 20.0, 50.0, to=10.0))
    assert len(down) == len(due(RAMP)) == 600
    assert down[10] < 0.25


def rows(slow_from: float, refused_from: float = 99.0) -> list[Row]:
    return [
        Row(n, "ramp", "noop", "acme", "done", None, 100 + at,
            t_acc=None if at >= refused_from else 100 + at + (2.0 if at >= slow_from else 0.1))
        for n, at in enumerate(due(RAMP))
    ]  # fmt: skip


def test_the_knee_is_the_rate_up_to_which_every_window_held() -> None:
    assert knee(rows(slow_from=12), RAMP, 100.0, PROMISED) == 30.0, "the window from 10 to 15 broke"
    assert knee(rows(slow_from=99), RAMP, 100.0, PROMISED) == 50.0
    assert knee(rows(slow_from=0), RAMP, 100.0, PROMISED) == 0.0
    assert knee(rows(slow_from=99, refused_from=16), RAMP, 100.0, PROMISED) == 40.0


def test_a_trace_begins_with_its_first_arrival_and_is_cut_where_its_phase_ends(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# from the log\n1000.5\n1001.5 # lunch\n\n1004.5\n")
    assert read(path, 60) == (0.0, 1.0, 4.0)
    assert read(path, 2.0, speed=2) == (0.0, 0.5)
    assert due(Phase("steady", 60.0, 0.1, moments=read(path, 60))) == [0.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("text", "word"),
    [("1\nnoon\n", "line 2: 'noon'"), ("2\n1\n", "sort it"), ("# nothing\n", "no arrival"), ("nan\n", "moment")],
)
def test_what_is_wrong_in_a_trace_is_told(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(BadTrace, match=word):
        read(tmp_path / "mine.txt", 60)
