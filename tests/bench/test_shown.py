"""A figure that is only shown can't fall, and doesn't say that it holds."""

from accepted.bench.measure import Bound, Figure
from accepted.bench.table import fallen, row


def test_a_figure_that_is_shown_is_not_judged() -> None:
    figure = Figure("accept", "p95", "×", [9.0], Bound("shown"))
    assert fallen([figure]) == []
    assert row(figure)[-2:] == ("not judged", "")
