"""From a request to a job: what is accepted, and what is written for it."""

import pytest

from .conftest import Client, Product

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}


def test_an_export_is_answered_with_202_and_the_way_to_its_job(acme: Client, product: Product) -> None:
    answer = acme.post("/v1/reports", json=REPORT)
    assert answer.status_code == 202
    job = answer.json["job"]
    assert answer.headers["Location"] == f"/jobs/{job['id']}" == answer.json["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["links"]["events"].endswith(f"/jobs/{job['id']}/events")
    assert (job["kind"], job["state"]) == ("report.export", "queued")
