"""A queue as a fluid, held to what can be worked out by hand."""

import math

import pytest

from accepted.notebooks.fluid import backlog, emptied


def test_a_burst_drains_at_what_the_capacity_leaves_over() -> None:
    series = backlog([100.0] * 10 + [10.0] * 40, capacity=60.0)
    assert dict(series)[10.0] == pytest.approx(400)  # (100 − 60) × 10 s
    assert emptied(series, 10, share=0.0) == pytest.approx(8, abs=0.15)  # 400 ÷ (60 − 10)


def test_what_comes_more_slowly_than_it_is_worked_off_leaves_nothing() -> None:
    assert max(level for _, level in backlog([10.0] * 20, capacity=20.0)) == 0


def test_the_rest_is_worked_off_after_the_last_arrival() -> None:
    assert emptied(backlog([50.0], capacity=5.0), 1, share=0.0) == pytest.approx(9, abs=0.15)  # (50 − 5) ÷ 5


def test_what_was_not_seen_to_end_has_not_ended() -> None:
    assert emptied([(0.0, 10.0), (1.0, 9.0)], 0) == math.inf
