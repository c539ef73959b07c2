"""The store whose answers can be kept back, and real clients that wait for them."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from accepted.faults.store import Call, HeldStore
from accepted.stack.processes import until
from billing.storage.urls import open_store


@pytest.fixture
def held() -> Iterator[HeldStore]:
    with HeldStore() as found:
        yield found


def test_one_client_has_its_answer_while_another_still_waits(held: HeldStore) -> None:
    held.rule = lambda call: 0.0 if call.held else math.inf
    with ThreadPoolExecutor(2) as clients:
        begun = {key: clients.submit(open_store(held.url).begin, key) for key in ("first", "second")}
        assert until(lambda: len(held.held()) == 2, 10)

        call_for(held, "first").released = True
        assert begun["first"].result(10).key == "first"
        assert [call.key for call in held.held()] == ["second"]

        held.release()
        assert begun["second"].result(10).key == "second"


def test_what_is_asked_after_the_release_is_answered_at_once(held: HeldStore) -> None:
    held.rule = lambda call: math.inf
    held.release()
    assert open_store(held.url).begin("later").key == "later"
    assert call_for(held, "later").held is None


def call_for(held: HeldStore, key: str) -> Call:
    return next(call for call in held.calls if call.key == key)
