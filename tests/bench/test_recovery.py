"""The kill and what is counted after it, on the real system with a short lease."""

from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.bench import recovery
from accepted.bench.measure import Invalid
from accepted.bench.room import Room
from accepted.stack.state import root


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Room]:
    """A quick room for the tree, with these variables instead of what is shipped."""

    def make(**variables: str) -> Room:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(recovery, "AS_SHIPPED", ())
        return Room(root() / "solutions", "rq", rounds=1, quick=True, say=print)

    return make


def test_with_another_lease_than_the_shipped_one_nothing_is_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEASE", "1")
    with pytest.raises(Invalid, match="as shipped, and LEASE is set"):
        recovery.run(Room(Path("nowhere"), "rq", rounds=1, quick=True, say=print))


def test_a_killed_workers_job_is_not_back_before_its_lease_ends(room: Callable[..., Room]):
    (figure,), _ = recovery.run(room(LEASE="6"))
    (wait,) = figure.rounds
    # The lease was renewed no longer ago than a third of it, so the most of it is still to come.
    assert 6 * 2 / 3 - 1 < wait < 20 and figure.held


def test_a_job_that_was_over_before_the_kill_is_no_recovery(room: Callable[..., Room], monkeypatch: pytest.MonkeyPatch):
    class Late:
        def __init__(self, seed: int) -> None: ...

        def uniform(self, low: float, high: float) -> float:
            return 2.0

    monkeypatch.setattr(recovery.random, "Random", Late)
    with pytest.raises(Invalid, match=r"was to be killed while it runs, and it is (retrying|queued)"):
        # Full jitter: the wait is drawn between none and fifty minutes, so that it is not over by the kill.
        recovery.run(room(LEASE="6", PARTNER_TIMEOUT="1", RETRY_BASE="3000", RETRY_CAP="3000"))
