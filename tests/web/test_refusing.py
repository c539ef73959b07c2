"""What can't be taken is refused with a problem that says why, and leaves no row behind."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Client, Product

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}
PAYOUT = {"account_id": 1, "amount_cents": 1, "currency": "EUR", "reference": "r"}
KEY = {"Idempotency-Key": "k"}


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem, once it was made sure that it is one."""
    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/problem+json"
    found: dict[str, Any] = json.loads(answer.data)
    assert found["status"] == status and found["title"] and found["detail"] and len(found["trace_id"]) == 32
    assert "Traceback" not in answer.text
    return found


CASES: list[tuple[str, str, dict[str, Any], int, str]] = [
    # method, path, what is sent, status, a pointer that must be named
    ("POST", "/v1/reports", {"data": "{", "content_type": "application/json"}, 400, ""),
    ("POST", "/v1/reports", {"data": b"\xff\xfe", "content_type": "application/json"}, 400, ""),
    ("POST", "/v1/reports", {"data": "format=csv", "content_type": "application/x-www-form-urlencoded"}, 415, ""),
    ("POST", "/v1/reports", {"data": json.dumps(REPORT)}, 415, ""),
    ("POST", "/v1/reports", {"data": b" " * 70_000, "content_type": "application/json"}, 413, ""),
    ("POST", "/v1/reports", {}, 422, "/format"),
    ("POST", "/v1/reports", {"json": []}, 422, ""),
    ("POST", "/v1/reports", {"json": None}, 422, ""),
    ("POST", "/v1/reports", {"json": {**REPORT, "format": "xls"}}, 422, "/format"),
    ("POST", "/v1/reports", {"json": {**REPORT, "from": 20260101}}, 422, "/from"),
    ("POST", "/v1/reports", {"json": {**REPORT, "from": "2026-02-30"}}, 422, "/from"),
    ("POST", "/v1/reports", {"json": {**REPORT, "to": "2025-12-31"}}, 422, ""),
    ("POST", "/v1/reports", {"json": {**REPORT, "to": "2027-01-02"}}, 422, ""),  # 367 days
    ("POST", "/v1/reports", {"json": {**REPORT, "color": "red"}}, 422, "/color"),
    ("POST", "/v1/payouts", {"json": PAYOUT}, 400, ""),
    ("POST", "/v1/payouts", {"json": PAYOUT, "headers": {"Idempotency-Key": ""}}, 400, ""),
    ("POST", "/v1/payouts", {"json": PAYOUT, "headers": {"Idempotency-Key": "x" * 256}}, 400, ""),
    ("POST", "/v1/payouts", {"json": PAYOUT, "headers": {"Idempotency-Key": 'a"b'}}, 400, ""),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "amount_cents": 0}, "headers": KEY}, 422, "/amount_cents"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "amount_cents": "5"}, "headers": KEY}, 422, "/amount_cents"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "amount_cents": 1.5}, "headers": KEY}, 422, "/amount_cents"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "amount_cents": True}, "headers": KEY}, 422, "/amount_cents"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "reference": "a:b"}, "headers": KEY}, 422, "/reference"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "reference": "a\0"}, "headers": KEY}, 422, "/reference"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "reference": "a\n"}, "headers": KEY}, 422, "/reference"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "currency": "eur"}, "headers": KEY}, 422, "/currency"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "account_id": 2**63}, "headers": KEY}, 422, "/account_id"),
    ("POST", "/v1/payouts", {"json": {**PAYOUT, "account_id": 4711}, "headers": KEY}, 404, ""),
    ("POST", "/v1/invoices/4711/webhooks", {}, 404, ""),
    ("POST", "/v1/invoices/99999999999999999999/webhooks", {}, 404, ""),
    ("POST", "/v1/invoices/abc/webhooks", {}, 404, ""),
    ("POST", "/v1/invoices/-1/email", {}, 404, ""),
    ("POST", "/v1/invoices/{invoice}/webhooks", {"json": {"type": "invoice.eaten"}}, 422, "/type"),
    ("POST", "/v1/invoices/{invoice}/email", {"json": {"to": "x@example.com"}}, 422, "/to"),
    ("PUT", "/v1/invoices/4711", {"json": {"status": "paid"}}, 404, ""),
    ("PUT", "/v1/invoices/{invoice}", {"json": {"status": "eaten"}}, 422, "/status"),
    ("PUT", "/v1/invoices/{invoice}", {}, 422, "/status"),
    ("PATCH", "/v1/invoices/{invoice}", {}, 405, ""),
    ("GET", "/v1/payouts", {}, 405, ""),
    ("GET", "/nowhere", {}, 404, ""),
    ("GET", "/jobs/42", {}, 404, ""),
    ("GET", "/jobs?limit=0", {}, 400, ""),
    ("GET", "/jobs?limit=٣", {}, 400, ""),
    ("GET", "/jobs?state=asleep", {}, 400, ""),
    ("GET", "/jobs?kind=*", {}, 400, ""),
    ("GET", "/jobs?cursor=zzz", {}, 400, ""),
    ("GET", "/jobs?parent=me", {}, 400, ""),
    ("GET", "/jobs?page=2", {}, 400, ""),
]


@pytest.mark.parametrize(("method", "path", "sent", "status", "pointer"), CASES, ids=range(len(CASES)))
def test_a_request_that_cannot_be_taken_gets_its_problem_and_leaves_no_row(
    acme: Client, product: Product, method: str, path: str, sent: dict[str, Any], status: int, pointer: str
) -> None:
    before = product.rows()
    found = problem(acme.open(path.format(invoice=product.invoice), method=method, **sent), status)
    if pointer:
        assert pointer in [each["pointer"] for each in found["errors"]]
    assert product.rows() == before
    assert product.one("SELECT max(version) FROM invoices") == 1


FOREIGN = [
    ("POST", "/v1/invoices/{foreign_invoice}/webhooks", {}),
    ("POST", "/v1/invoices/{foreign_invoice}/email", {}),
    ("PUT", "/v1/invoices/{foreign_invoice}", {"json": {"status": "paid"}}),
    ("GET", "/v1/invoices/{foreign_invoice}", {}),
]


@pytest.mark.parametrize(("method", "path", "sent"), FOREIGN)
def test_another_tenants_invoice_is_as_if_it_did_not_exist(
    acme: Client, product: Product, method: str, path: str, sent: dict[str, Any]
) -> None:
    before = product.rows()
    foreign = problem(acme.open(path.format(foreign_invoice=product.foreign_invoice), method=method, **sent), 404)
    unknown = problem(acme.open(path.format(foreign_invoice=4711), method=method, **sent), 404)
    assert foreign["title"] == unknown["title"] and foreign["type"] == unknown["type"]
    assert product.rows() == before
    assert product.one("SELECT max(version) FROM invoices") == 1


def test_another_tenants_account_and_another_currency_pay_nothing(acme: Client, product: Product) -> None:
    before = product.rows()
    theirs = {**PAYOUT, "account_id": product.foreign_account}
    problem(acme.post("/v1/payouts", json=theirs, headers=KEY), 404)
    dollars = {**PAYOUT, "account_id": product.account, "currency": "USD"}
    found = problem(acme.post("/v1/payouts", json=dollars, headers=KEY), 422)
    assert found["errors"] == [{"pointer": "/currency", "detail": "this account takes EUR"}]
    assert product.rows() == before


def test_a_method_that_is_not_allowed_names_those_that_are(acme: Client, product: Product) -> None:
    assert "PUT" in acme.patch(f"/v1/invoices/{product.invoice}").headers["Allow"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON | st.fixed_dictionaries({"format": JSON, "from": JSON, "to": JSON}))
def test_whatever_json_comes_the_answer_is_a_problem_or_a_job_and_never_a_500(
    acme: Client, product: Product, body: Any
) -> None:
    before = product.rows()
    answer = acme.post("/v1/reports", data=json.dumps(body), content_type="application/json")
    if answer.status_code != 202:
        problem(answer, 422)
        assert product.rows() == before


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200))
def test_whatever_bytes_come_the_answer_is_a_problem(acme: Client, product: Product, raw: bytes) -> None:
    answer = acme.post("/v1/reports", data=raw, content_type="application/json")
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code)
