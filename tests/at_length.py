"""What `make test` leaves to `make test-graders`: whole gradings, each with a stack of its own."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def few_of(every: Iterable[Any], few: Collection[Any]) -> list[ParameterSet]:
    """The parameters of a test: `few` are played by both, the others at length alone."""
    marks = {one: () if one in few else (pytest.mark.graders,) for one in every}
    return [pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=mark) for one, mark in marks.items()]
