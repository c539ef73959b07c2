"""From a request to a job: what is accepted, and what is written for it."""

from typing import Any

import pytest

from .conftest import Client, Product

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}


def payout(product: Product, **more: Any) -> dict[str, Any]:
    return {"account_id": product.account, "amount_cents": 1250, "currency": "EUR", "reference": "r-1", **more}


def test_an_export_is_answered_with_202_and_the_way_to_its_job(acme: Client, product: Product) -> None:
    answer = acme.post("/v1/reports", json=REPORT)
    assert answer.status_code == 202
    job = answer.json["job"]
    assert answer.headers["Location"] == f"/jobs/{job['id']}" == answer.json["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["links"]["events"].endswith(f"/jobs/{job['id']}/events")
    assert (job["kind"], job["state"]) == ("report.export", "queued")


def test_the_domain_row_the_job_its_event_and_its_outbox_row_are_written_together(
    acme: Client, product: Product
) -> None:
    before = product.rows()
    job = acme.post("/v1/reports", json=REPORT).json["job"]
    grown = {name: n - before[name] for name, n in product.rows().items() if n != before[name]}
    assert grown == {"reports": 1, "jobs": 1, "outbox": 1, "job_events": 1}
    args = product.one("SELECT args FROM jobs WHERE id = %s", job["id"])
    report = product.all("SELECT id::text, tenant_id, format, period_from::text, period_to::text FROM reports")[0]
    assert args == {"report_id": report[0]}
    assert report[1:] == ("acme", "csv", "2026-01-01", "2026-03-31")
    assert job["natural_key"] == f"acme:report:{report[0]}:1"


def test_the_callers_trace_goes_into_the_job_and_back_in_the_answer(acme: Client, product: Product) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = acme.post("/v1/reports", json=REPORT, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answer.headers["traceparent"].split("-")[1] == trace
    assert product.all("SELECT trace_id, split_part(traceparent, '-', 2) FROM jobs") == [(trace, trace)]


def test_what_goes_on_its_way_holds_ids_and_never_what_they_point_at(acme: Client, product: Product) -> None:
    acme.post(f"/v1/invoices/{product.invoice}/email")
    acme.post("/v1/payouts", json=payout(product), headers={"Idempotency-Key": "k"})
    assert product.all("SELECT kind, args::text FROM jobs ORDER BY kind") == [
        ("email.send", f'{{"version": 1, "invoice_id": {product.invoice}}}'),
        ("payout.send", f'{{"payout_id": "{product.one("SELECT id FROM payouts")}"}}'),
    ]


def test_the_same_version_of_an_invoice_is_mailed_by_one_job_however_often_it_is_asked_for(
    acme: Client, product: Product
) -> None:
    first = acme.post(f"/v1/invoices/{product.invoice}/email").json["job"]["id"]
    rows = product.rows()
    again = acme.post(f"/v1/invoices/{product.invoice}/email")
    assert again.status_code == 202 and again.json["job"]["id"] == first
    assert product.rows() == rows


@pytest.mark.parametrize(("news", "jobs"), [(["invoice.reminder"] * 2, 1), (["invoice.reminder", "invoice.paid"], 2)])
def test_one_fan_out_for_each_version_and_type(acme: Client, product: Product, news: list[str], jobs: int) -> None:
    for each in news:
        assert acme.post(f"/v1/invoices/{product.invoice}/webhooks", json={"type": each}).status_code == 202
    assert product.one("SELECT count(*) FROM jobs") == jobs == product.one("SELECT count(*) FROM webhook_events")


def test_a_change_makes_a_new_version_and_its_fan_out_in_one_transaction(acme: Client, product: Product) -> None:
    answer = acme.put(f"/v1/invoices/{product.invoice}", json={"status": "paid"})
    assert answer.status_code == 202
    assert product.all("SELECT status, version FROM invoices WHERE id = %s", product.invoice) == [("paid", 2)]
    expected = {"invoice_id": product.invoice, "version": 2, "type": "invoice.paid"}
    assert product.all("SELECT kind, args FROM jobs") == [("webhook.fanout", expected)]


def test_jobs_of_one_invoice_are_numbered_in_the_order_of_its_versions(acme: Client, product: Product) -> None:
    for status in ("paid", "open", "void"):
        acme.put(f"/v1/invoices/{product.invoice}", json={"status": status})
    numbered = product.all("SELECT seq, (args->>'version')::int FROM jobs ORDER BY seq")
    assert numbered == [(1, 2), (2, 3), (3, 4)]


def test_a_reference_pays_out_once_and_the_second_request_is_told_where_the_first_is(
    acme: Client, product: Product
) -> None:
    first = acme.post("/v1/payouts", json=payout(product), headers={"Idempotency-Key": "one"})
    rows = product.rows()
    second = acme.post("/v1/payouts", json=payout(product, amount_cents=7), headers={"Idempotency-Key": "two"})
    assert second.status_code == 409
    assert second.json["type"] == "urn:accepted:problem:payout-reference-used"
    assert second.json["links"]["job"] == first.headers["Location"]
    assert acme.get(second.json["links"]["job"]).status_code == 200
    assert product.rows() == rows


def test_two_tenants_may_use_the_same_reference(acme: Client, bolt: Client, product: Product) -> None:
    assert acme.post("/v1/payouts", json=payout(product), headers={"Idempotency-Key": "k"}).status_code == 202
    theirs = payout(product, account_id=product.foreign_account)
    assert bolt.post("/v1/payouts", json=theirs, headers={"Idempotency-Key": "k"}).status_code == 202


def test_noops_are_only_where_the_bench_asks_for_them(acme: Client, product: Product) -> None:
    assert acme.post("/v1/noops").status_code == 404
