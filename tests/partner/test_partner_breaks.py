"""The partner's faults as a client meets them, and its gauge."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
import pytest


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_status_answers_the_first_calls_without_an_effect_and_then_the_charge_is_made(partner: Any) -> None:
    partner.faults({"match": {"op": "charge"}, "calls": "1-2", "do": {"status": 503, "retry_after": 2}})
    answers = [partner.charge("r-1", "k1") for _ in range(3)]
    assert [one.status_code for one in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "2"
    assert partner.summary()["charge"] == {"r-1": 1}
    [rule] = partner.http.get("/faults").json()["rules"]
    assert (rule["seen"], rule["hits"]) == (3, 2)
    assert [call["rule"] for call in partner.ledger()["calls"]] == [0, 0, None]


def test_retry_after_can_be_a_date(partner: Any) -> None:
    partner.faults({"do": {"status": 429, "retry_after_date": 3}})
    asked = time.time()
    wait = parsedate_to_datetime(partner.email("e-1").headers["Retry-After"]).timestamp() - asked
    assert 3 <= wait <= 5
    partner.faults({"do": {"status": 429, "retry_after": "Sun, 06 Nov 1994 08:49:37 GMT"}})
    assert partner.email("e-1").headers["Retry-After"] == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(("fault", "effects"), [("drop", 0), ("accept_then_drop", 1)])
def test_a_cut_connection_hides_whether_there_was_an_effect(partner: Any, fault: str, effects: int) -> None:
    partner.faults({"calls": "1", "do": {fault: True}})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        partner.charge("r-1", "k1")
    seen = partner.ledger()
    assert len(seen["effects"]) == effects
    assert [(call["status"], call["broke"]) for call in seen["calls"]] == [(None, fault)]
    again = partner.charge("r-1", "k1")
    assert again.headers.get("Idempotent-Replayed") == ("true" if effects else None)
    assert partner.summary()["charge"] == {"r-1": 1}


@pytest.mark.parametrize(("fault", "effects"), [("hang", 0), ("accept_then_hang", 1)])
def test_a_hanging_call_ends_when_its_client_leaves(partner: Any, fault: str, effects: int) -> None:
    partner.faults({"do": {fault: True}})
    with pytest.raises(httpx.ReadTimeout):
        partner.http.post("/hooks/s1", headers={"webhook-id": "h1"}, timeout=0.3)
    until(lambda: partner.stats()["in_flight"]["hook"] == 0)
    [call] = partner.ledger()["calls"]
    assert (call["broke"], call["until"]) == (fault, "client left")
    assert len(partner.ledger()["effects"]) == effects


def test_lifting_the_faults_releases_who_hangs(partner: Any) -> None:
    partner.faults({"do": {"hang": True}})
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(partner.email, "e-1")
        until(lambda: partner.stats()["in_flight"].get("email") == 1)
        assert partner.http.delete("/faults").status_code == 204
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            hanging.result(10)
    assert partner.ledger()["calls"][0]["until"] == "released"
    assert partner.email("e-1").status_code == 202


def test_a_hang_is_bounded_even_for_a_patient_client(start: Callable[..., Any]) -> None:
    partner = start("--hang-limit", "0.2")
    partner.faults({"do": {"hang": True}})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        partner.email("e-1")
    assert partner.ledger()["calls"][0]["until"] == "limit"


def test_a_delayed_charge_is_made_although_its_client_has_left(partner: Any) -> None:
    partner.faults({"calls": "1", "do": {"delay": 0.6}})
    with pytest.raises(httpx.ReadTimeout):
        partner.http.post(
            "/v1/charges",
            json={"reference": "r-1", "account": "a", "amount_cents": 1, "currency": "EUR"},
            headers={"Idempotency-Key": "k1"},
            timeout=0.2,
        )
    until(lambda: partner.summary()["charge"] == {"r-1": 1})
    [call] = partner.ledger()["calls"]
    assert call["broke"] == "client left"
    assert call["ended"] - call["at"] >= 0.6


def test_two_calls_at_once_with_one_key_make_one_charge(partner: Any) -> None:
    partner.faults({"do": {"delay": 0.3}})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: partner.charge("r-1", "k1"), range(8)))
    assert len({one.json()["id"] for one in answers}) == 1
    assert partner.summary()["charge"] == {"r-1": 1}
    assert partner.stats()["peak"]["charge"] == 8


def test_faults_that_cannot_be_read_are_refused_and_leave_the_old_ones_in_force(partner: Any) -> None:
    partner.faults({"do": {"status": 503}})
    refused = partner.http.put("/faults", json={"rules": [{"do": {"status": "soon"}}]})
    assert refused.status_code == 400
    assert refused.json()["problems"][0]["at"] == "rules.0.do.status"
    assert partner.email("e-1").status_code == 503


def test_two_thousand_slow_calls_are_in_flight_at_once_and_the_gauge_counts_them(partner: Any) -> None:
    calls, delay = 2000, 2.0
    partner.faults({"do": {"delay": delay}})

    async def storm() -> list[int]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(str(partner.http.base_url), connector=connector) as session:

            async def one(n: int) -> int:
                async with session.post("/hooks/s1", headers={"webhook-id": f"h{n}"}) as answer:
                    return answer.status

            return await asyncio.wait_for(asyncio.gather(*(one(n) for n in range(calls))), 60)

    began = time.monotonic()
    assert asyncio.run(storm()) == [204] * calls
    took = time.monotonic() - began
    assert took < 30, "they wait side by side, not one after the other"
    peak = partner.stats()["peak"]["hook"]
    assert calls // 4 < peak <= calls
    assert len(partner.summary()["webhook"]) == calls
    partner.http.delete("/stats")
    assert partner.stats()["peak"].get("hook", 0) == 0
