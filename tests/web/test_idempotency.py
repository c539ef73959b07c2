"""One answer for every try of one request, whatever the client or the network did in between."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import ACME, Client, Product, Served, until

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}


HELD = """SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE locktype = 'advisory' AND d.datname = current_database()"""


def key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


@pytest.mark.parametrize("again", ['"a-key"', "a-key", '  "a-key" '])
def test_a_retry_gets_the_first_answer_to_the_byte_and_writes_nothing(
    acme: Client, product: Product, again: str
) -> None:
    first = acme.post("/v1/reports", json=REPORT, headers=key('"a-key"'))
    rows = product.rows()
    second = acme.post("/v1/reports", json=REPORT, headers=key(again))
    assert (second.status_code, second.data) == (202, first.data)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert product.rows() == rows


def test_the_same_request_in_other_words_is_the_same_request(acme: Client, product: Product) -> None:
    first = acme.post("/v1/reports", json=REPORT, headers=key("k"))
    reordered = '{"to": "2026-03-31",   "from":"2026-01-01", "format":"csv"}'
    second = acme.post("/v1/reports", data=reordered, content_type="application/json", headers=key("k"))
    assert second.data == first.data


def test_the_same_key_for_another_request_is_refused_and_writes_nothing(acme: Client, product: Product) -> None:
    acme.post("/v1/reports", json=REPORT, headers=key("k"))
    rows = product.rows()
    other = acme.post("/v1/reports", json={**REPORT, "format": "pdf"}, headers=key("k"))
    assert (other.status_code, other.json["type"]) == (422, "urn:accepted:problem:idempotency-key-reused")
    assert product.rows() == rows


def test_the_same_key_for_another_invoice_is_another_request(acme: Client, product: Product) -> None:
    acme.post(f"/v1/invoices/{product.invoice}/email", headers=key("k"))
    other = acme.post(f"/v1/invoices/{product.foreign_invoice}/email", headers=key("k"))
    assert other.status_code == 422


def test_a_key_counts_for_one_tenant_and_one_route(acme: Client, bolt: Client, product: Product) -> None:
    ids = {
        acme.post("/v1/reports", json=REPORT, headers=key("k")).json["job"]["id"],
        bolt.post("/v1/reports", json=REPORT, headers=key("k")).json["job"]["id"],
        acme.post(f"/v1/invoices/{product.invoice}/email", headers=key("k")).json["job"]["id"],
    }
    assert len(ids) == 3


def test_a_refused_request_does_not_use_up_its_key(acme: Client, product: Product) -> None:
    assert acme.post("/v1/invoices/4711/email", headers=key("k")).status_code == 404
    assert product.one("SELECT count(*) FROM idempotency_keys") == 0


def test_while_the_first_try_is_in_flight_the_second_is_told_to_come_back(served: Served, product: Product) -> None:
    """The first try is held up in the middle of its transaction by a lock on a row that its insert needs."""
    body = {"account_id": product.account, "amount_cents": 1, "currency": "EUR", "reference": "r"}

    def ask() -> httpx.Response:
        headers = {"Authorization": f"Bearer {ACME}", "Idempotency-Key": "k"}
        return httpx.post(f"{served.url}/v1/payouts", json=body, headers=headers, timeout=20)

    with psycopg.connect(product.url) as blocker, ThreadPoolExecutor(1) as pool:
        blocker.execute("SELECT 1 FROM payout_accounts WHERE id = %s FOR UPDATE", (product.account,))
        first = pool.submit(ask)
        until(lambda: product.one(HELD) == 1)
        second = ask()
        assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
        assert second.json()["type"] == "urn:accepted:problem:idempotency-key-in-flight"
        blocker.rollback()
        assert first.result(20).status_code == 202
    third = ask()
    assert (third.status_code, third.headers["Idempotent-Replayed"]) == (202, "true")
    assert third.json() == first.result().json()


def test_of_many_tries_at_once_one_is_accepted_and_all_name_the_same_job(served: Served, product: Product) -> None:
    body = {"account_id": product.account, "amount_cents": 1, "currency": "EUR", "reference": "r"}
    start = threading.Barrier(8)

    def ask(_: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ACME}", "Idempotency-Key": "k"}
        start.wait(10)
        while True:
            answer = httpx.post(f"{served.url}/v1/payouts", json=body, headers=headers, timeout=20)
            if answer.status_code != 409:
                return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert product.one("SELECT count(*) FROM jobs") == 1


VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@settings(deadline=None, derandomize=True)
@given(key=st.text(VISIBLE, min_size=1, max_size=255))
def test_every_visible_key_survives_the_quotes(key: str) -> None:
    from app.shared.idempotency import parse

    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse(quoted) == key
    if '"' not in key and "\\" not in key:
        assert parse(key) == key


@settings(deadline=None, derandomize=True)
@given(value=st.text(max_size=300))
def test_whatever_the_header_holds_it_is_a_key_or_a_problem(value: str) -> None:
    from app.shared.idempotency import LONGEST, parse
    from app.shared.problems import Problem

    try:
        found = parse(value)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert found and found.isascii() and len(found) <= LONGEST
