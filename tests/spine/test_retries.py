"""Retries: a pure decision, so a table, some properties, and one look at many draws."""

from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean

import pytest
from app.shared import retries
from app.shared.core import Again, Failure, GiveUp
from hypothesis import given
from hypothesis import strategies as st

from billing.settings import settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def policy(monkeypatch: pytest.MonkeyPatch):
    """Base 1 s, cap 60 s, five attempts."""
    for name, value in {"RETRY_BASE": 1, "RETRY_CAP": 60, "MAX_ATTEMPTS": 5}.items():
        monkeypatch.setenv(name, str(value))
    settings.cache_clear()
    yield
    settings.cache_clear()


def http(status: int, retry_after: float | None = None) -> Failure:
    return Failure(f"HTTP{status}", "said so", status, retry_after)


def wait(failure: Failure, attempt: int, rng: Random) -> float:
    decision = retries.decide(failure, attempt, NOW, rng)
    assert isinstance(decision, Again)
    return (decision.at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("failure", "attempt", "again"),
    [
        (http(500), 1, True),  # their mistake: may be gone the next time
        (http(502), 1, True),  # a proxy's word for the same
        (http(503), 4, True),  # the last retry that five attempts allow
        (http(503), 5, False),  # and there the attempts end
        (http(503), 6, False),  # nor does it go on when the limit was lowered meanwhile
        (http(599), 1, True),  # any 5xx, known or not
        (http(400), 1, False),  # our mistake: as wrong the next time
        (http(401), 1, False),  # a key that is refused is refused again
        (http(404), 1, False),  # nobody there
        (http(409), 1, False),  # a conflict that waiting doesn't solve
        (http(410), 1, False),  # gone for good
        (http(422), 1, False),  # the same key with another body: a person must look
        (http(408), 1, True),  # request time-out: 4xx, but about the moment
        (http(425), 1, True),  # too early
        (http(429), 1, True),  # too many requests
        (http(429), 5, False),  # "not now" five times over is a no as well
        (http(301), 1, False),  # a redirect isn't followed, and won't go away
        (Failure("ConnectTimeout", "no answer"), 1, True),  # no status: the failure says so itself
        (Failure("BadSecret", "not base64", transient=False), 1, False),  # and here it says no
        (Failure("HTTP503", "", 503, transient=False), 1, True),  # where there is a status, that decides
        (Failure("HTTP404", "", 404, transient=True), 1, False),  # both ways
    ],
)
def test_what_is_worth_another_attempt(failure: Failure, attempt: int, again: bool):
    decision = retries.decide(failure, attempt, NOW, Random(7))
    assert isinstance(decision, Again if again else GiveUp)
    if isinstance(decision, GiveUp):
        assert failure.error in decision.reason


failures = st.builds(
    Failure,
    error=st.just("E"),
    message=st.just("m"),
    status=st.none() | st.integers(100, 599),
    retry_after=st.none() | st.floats(-1e12, 1e12, allow_nan=False) | st.just(float("inf")),
    transient=st.booleans(),
)


@given(failures, st.integers(1, 5000), st.integers(0, 2**32))
def test_no_wait_is_longer_than_the_cap_or_what_the_partner_asked_for(failure: Failure, attempt: int, seed: int):
    decision = retries.decide(failure, attempt, NOW, Random(seed))
    if isinstance(decision, GiveUp):
        return
    waited = (decision.at - NOW).total_seconds()
    if failure.retry_after is None:
        assert 0 <= waited <= 60
    else:
        asked = min(max(failure.retry_after, 0), retries.LONGEST_RETRY_AFTER)
        assert asked - 1e-5 <= waited <= asked + 1 + 1e-5, "no earlier than asked, and a base's worth of jitter later"


@given(st.integers(400, 499), st.integers(1, 10), st.integers(0, 2**32))
def test_a_client_error_is_never_repeated_but_for_the_three_that_say_not_now(status: int, attempt: int, seed: int):
    decision = retries.decide(http(status), attempt, NOW, Random(seed))
    if status not in (408, 425, 429):
        assert isinstance(decision, GiveUp)


@given(failures, st.integers(1, 10), st.integers(0, 2**32))
def test_the_same_draw_gives_the_same_decision(failure: Failure, attempt: int, seed: int):
    one, two = (retries.decide(failure, attempt, NOW, Random(seed)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 1), (2, 2), (3, 4), (4, 8)])
def test_the_wait_is_drawn_from_all_of_nothing_to_a_ceiling_that_doubles(attempt: int, ceiling: float):
    rng = Random(20260101)
    draws = sorted(wait(http(503), attempt, rng) for _ in range(4000))
    assert 0 <= draws[0] < ceiling * 0.01
    assert ceiling * 0.99 < draws[-1] <= ceiling
    assert mean(draws) == pytest.approx(ceiling / 2, rel=0.05)
    for quarter in (0.25, 0.5, 0.75):
        assert draws[int(len(draws) * quarter)] == pytest.approx(ceiling * quarter, rel=0.1)


def test_the_ceiling_stops_at_the_cap(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAX_ATTEMPTS", "3000")
    settings.cache_clear()
    rng = Random(3)
    for attempt in (7, 8, 60, 1100, 2999):  # 2 ** 1100 is more than a float holds
        draws = [wait(http(503), attempt, rng) for _ in range(500)]
        assert 55 < max(draws) <= 60


def test_those_who_were_told_the_same_second_do_not_all_come_back_in_it():
    rng = Random(11)
    draws = [wait(http(429, 30), 1, rng) for _ in range(1000)]
    assert min(draws) >= 30
    assert mean(draws) == pytest.approx(30.5, abs=0.05)


def test_nobody_waits_for_years_because_a_header_says_so():
    assert wait(http(503, 1e9), 1, Random(1)) <= retries.LONGEST_RETRY_AFTER + 1
    assert timedelta(seconds=retries.LONGEST_RETRY_AFTER) <= timedelta(days=1)
