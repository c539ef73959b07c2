"""Exercise 8 judges how long a stream is silent, on a machine that may stall: once, not again and again."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.grade.beside import modules

MOST = 8.0  # s


@pytest.fixture(scope="module")
def judging() -> Iterator[ModuleType]:
    with modules(8) as found:
        yield found.judging


def silent(judging: ModuleType, *times: float, comments: int) -> bool:
    return bool(judging.too_quiet(sorted(times), comments, MOST))


def test_a_comment_each_half_second_is_enough(judging: ModuleType) -> None:
    assert not silent(judging, *[0.5] * 40, comments=40)


def test_a_machine_that_stands_still_once_is_not_the_trees_fault(judging: ModuleType) -> None:
    assert not silent(judging, *[0.5] * 40, 10.0, comments=40)


def test_events_without_a_pause_need_no_comment(judging: ModuleType) -> None:
    assert not silent(judging, *[0.25] * 60, comments=0)


@pytest.mark.parametrize("times", [[3.0, *[0.25] * 60], [25.0], [15.0, 5.0], [9.0, 9.0, *[0.5] * 40]])
def test_who_says_nothing_or_seldom_is_silent(judging: ModuleType, times: list[float]) -> None:
    assert silent(judging, *times, comments=len(times) if len(times) != 61 else 0)
