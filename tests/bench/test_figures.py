"""Verdicts: what holds, what falls, and what may not be counted at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accepted.bench import table
from accepted.bench.command import FELL, INVALID, Outcome
from accepted.bench.measure import FEWEST_FOR_P95, Bound, Figure, Invalid, percentile, ratios
from accepted.bench.room import paired


def figure(rounds: list[float], side: str = "least", limit: float = 0.5, unit: str = "×") -> Figure:
    return Figure("relay", "rows/s", unit, rounds, Bound(side, limit), "5/s", "9/s")  # type: ignore[arg-type]


def test_the_median_of_the_rounds_is_what_a_floor_judges():
    assert figure([0.4, 0.51, 0.9]).held
    assert not figure([0.9, 0.49, 0.4]).held
    assert figure([0.5]).held, "at the floor itself it holds"


def test_a_ceiling_judges_from_the_other_side():
    assert figure([49.0, 50.0, 80.0], "most", 50.0, "ms").held
    assert not figure([51.0, 50.0, 80.0], "most", 50.0, "ms").held


def test_a_promise_about_every_round_falls_with_the_worst_one():
    kills = Figure("recovery", "runs again", "s", [10.2, 9.9, 24.0], Bound("most", 20.0, every=True))
    assert not kills.held and kills.missed_by == pytest.approx(0.2)
    assert "24.0 s, and it has to be at most 20 s" in table.fallen([kills])[0]
    assert table.row(kills)[-2:] == ("at most 20 s, each", "FALLS by 20%")
    assert Figure("recovery", "runs again", "s", [10.2, 19.9], Bound("most", 20.0, every=True)).held


def test_a_fall_says_by_how_much():
    assert figure([0.45]).missed_by == pytest.approx(0.1)
    assert figure([75.0], "most", 50.0, "ms").missed_by == pytest.approx(0.5)
    assert figure([0.6]).missed_by == 0


def test_rounds_that_disagree_with_the_verdict_are_pointed_out():
    assert figure([0.4, 0.6, 0.7]).doubtful
    assert not figure([0.55, 0.6, 0.7]).doubtful
    assert "rounds disagree" in table.row(figure([0.4, 0.6, 0.7]))[-1]


@pytest.mark.parametrize("rounds", [[], [0.0], [math.nan], [math.inf], [0.9, -1.0]])
def test_a_figure_that_measured_nothing_cannot_be_made(rounds: list[float]):
    with pytest.raises(Invalid):
        figure(rounds)


def test_a_baseline_that_did_nothing_makes_no_ratio():
    assert ratios([(1.0, 2.0), (3.0, 4.0)]) == [0.5, 0.75]
    with pytest.raises(Invalid):
        ratios([(1.0, 0.0)])


def test_a_percentile_of_too_few_samples_is_refused():
    with pytest.raises(Invalid, match="99 samples"):
        percentile([1.0] * (FEWEST_FOR_P95 - 1), 0.95)


@given(st.lists(st.floats(0, 1e6), min_size=FEWEST_FOR_P95, max_size=300), st.floats(0.01, 1))
def test_a_percentile_is_a_sample_that_so_many_do_not_exceed(values: list[float], part: float):
    found = percentile(values, part)
    assert found in values
    assert sum(value <= found for value in values) >= part * len(values)
    assert sum(value < found for value in values) < part * len(values)


def test_the_two_sides_take_turns_at_going_first():
    order: list[str] = []
    pairs = paired(3, lambda n: order.append(f"system {n}") or n, lambda n: order.append(f"bare {n}") or -n)
    assert order == ["system 1", "bare 1", "bare 2", "system 2", "system 3", "bare 3"]
    assert pairs == [(1, -1), (2, -2), (3, -3)]


def test_one_fallen_figure_decides_the_exit_status_and_something_unmeasured_is_never_a_pass():
    good, bad = figure([0.6]), figure([0.4])
    assert Outcome([good]).status == 0
    assert Outcome([good, bad]).status == FELL
    assert Outcome([good], invalid=["noops: no answer"]).status == INVALID
    assert Outcome([good, bad], invalid=["noops: no answer"]).status == FELL
    assert Outcome([]).status == INVALID


def test_the_table_says_which_fell_and_by_how_much():
    lines = table.lines([figure([0.6]), figure([0.4])])
    assert lines[2].endswith("holds") and "0.60 ×" in lines[2] and "at least 0.5 ×" in lines[2]
    assert lines[3].endswith("FALLS by 20%")
    assert table.fallen([figure([0.6]), figure([0.4])]) == [
        "relay: rows/s: 0.40 ×, and it has to be at least 0.5 ×: missed by 20.0%."
    ]


def test_settings_that_every_bench_read_back_stand_once():
    known = {"machine": {"cores": "2"}, "accept": {"fsync": "on", "gunicorn": "2 × 8"}, "relay": {"fsync": "on"}}
    assert table.settings_lines(known) == ["cores 2", "fsync on", "accept: gunicorn 2 × 8"]
