"""What those who run it see: health, figures, traces, and what remains when a server is away."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from billing import db
from billing.settings import settings

from .conftest import ACME, Client, Product, Served, until

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}
NOWHERE = "127.0.0.1:1"  # nothing listens on port 1


def figures(client: Client) -> dict[tuple[str, ...], float]:
    """(name, label values in order of label) → value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def no_broker(flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BROKER_URL", f"redis://{NOWHERE}/0")
    forget_connections()
    yield
    forget_connections()


def forget_connections() -> None:
    from app.on_rq import broker

    settings.cache_clear()
    for each in vars(broker).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


@pytest.fixture
def no_database(product: Product, flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{NOWHERE}/accepted")
    settings.cache_clear()
    db.dispose()


def test_a_live_and_ready_system_says_so(nobody: Client) -> None:
    assert nobody.get("/healthz").json == {"status": "alive"}
    assert nobody.get("/readyz").json == {"status": "ready", "postgres": "up", "broker": "up"}


def test_without_its_broker_it_is_degraded_and_accepts_all_the_same(
    acme: Client, product: Product, no_broker: None
) -> None:
    ready = acme.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "degraded")
    assert acme.post("/v1/reports", json=REPORT).status_code == 202
    found = figures(acme)
    assert found[("broker_up",)] == 0
    assert not [name for name in found if name[0] == "queue_depth"]
    assert found[("outbox_backlog",)] == 1


def test_without_its_database_it_says_when_to_come_back(acme: Client, no_database: None) -> None:
    for answer in (acme.post("/v1/reports", json=REPORT), acme.get("/readyz"), acme.get("/jobs")):
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) >= 1
        assert NOWHERE not in answer.text
    assert acme.get("/healthz").status_code == 200
    assert figures(acme)[("postgres_up",)] == 0


def test_what_nobody_foresaw_is_a_500_without_a_trace_of_our_insides(
    acme: Client, product: Product, flask_app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.shared import telemetry

    telemetry.configure("web")
    product.do("ALTER TABLE reports RENAME TO elsewhere")
    flask_app.testing = False
    answer = acme.post("/v1/reports", json=REPORT)
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert not re.search("reports\\b.*exist|psycopg|sqlalchemy|Traceback|File ", answer.text, re.IGNORECASE)
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (failed,) = [line for line in logged if line["event"] == "request failed"]
    assert failed["trace_id"] == answer.json["trace_id"] and failed["traceback"]


def test_a_request_is_one_log_line_with_its_trace_its_tenant_and_its_job(served: Served, product: Product) -> None:
    answer = httpx.post(f"{served.url}/v1/reports", json=REPORT, headers={"Authorization": f"Bearer {ACME}"})
    job = answer.json()["job"]

    def said() -> list[dict[str, Any]]:
        lines = [json.loads(text[text.index("{") :]) for text in served.log.read_text().splitlines() if "}" in text]
        return [line for line in lines if line.get("job_id") == job["id"]]

    until(said)  # a process' line comes through a pipe, and may come after its answer
    (line,) = said()
    assert line["event"] == "request" and line["tenant"] == "acme" and line["status"] == 202
    assert line["trace_id"] == job["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert ACME not in served.log.read_text()


def test_the_trace_of_one_request_does_not_leak_into_the_next(acme: Client, nobody: Client) -> None:
    ids = [acme.get("/healthz").headers["traceparent"].split("-")[1] for _ in range(2)]
    assert ids[0] != ids[1]


def test_figures_count_what_was_accepted_and_what_waits(acme: Client, product: Product) -> None:
    for _ in range(3):
        acme.post("/v1/reports", json=REPORT)
    product.do("UPDATE jobs SET accepted_at = now() - interval '1 minute'")
    found = figures(acme)
    assert found[("accepted_jobs_total", "report.export")] == 3
    assert found[("jobs", "report.export", "queued")] == 3
    assert found[("outbox_backlog",)] == 3
    assert 60 <= found[("oldest_ready_age_seconds", "reports")] < 90
    assert found[("queue_depth", "reports")] == 0
    assert found[("broker_up",)] == 1 == found[("postgres_up",)]


def test_a_job_that_was_queued_again_has_waited_since_then(acme: Client, product: Product) -> None:
    acme.post("/v1/reports", json=REPORT)
    product.do("UPDATE jobs SET accepted_at = now() - interval '1 hour', event_seq = 2")
    product.do(
        "INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)"
        " SELECT id, 2, tenant_id, 'queued', 0, '' FROM jobs"
    )
    assert figures(acme)[("oldest_ready_age_seconds", "reports")] < 30


def test_no_counter_falls_when_a_job_is_requeued_or_its_time_is_over(acme: Client, product: Product) -> None:
    """A job fails after two retries, is requeued by an operator, succeeds, and is deleted when its time is over."""
    from app.shared import dead_letters, jobs, retention
    from app.shared.core import Failure
    from app.shared.letters import Choice

    acme.post("/v1/reports", json=REPORT)
    counted: list[dict[tuple[str, ...], float]] = []

    def look() -> dict[tuple[str, ...], float]:
        counted.append({name: value for name, value in figures(acme).items() if name[0].endswith("_jobs_total")})
        return counted[-1]

    look()
    product.do("UPDATE jobs SET state = 'running', started_at = now(), failures = 2")
    with db.unit() as s:
        (job_id,) = s.connection().exec_driver_sql("SELECT id FROM jobs").one()
        job = jobs.get(s, job_id)
        assert job
        dead_letters.park(s, job, "too many attempts", Failure("PartnerError", "no"))
    assert look()[("retried_jobs_total", "report.export")] == 2
    with db.unit() as s:
        assert dead_letters.requeue(s, Choice(), "me")[0] == [job_id]
    assert look()[("failed_jobs_total", "report.export")] == 1
    assert look()[("requeued_jobs_total", "report.export")] == 1
    product.do("UPDATE jobs SET state = 'succeeded', started_at = now(), finished_at = now() - interval '8 days'")
    look()
    retention.clean()
    assert product.one("SELECT count(*) FROM jobs") == 0
    look()
    for before, after in itertools.pairwise(counted):
        fell = {name for name in before if after[name] < before[name]}
        assert not fell
    last = {name[0]: value for name, value in counted[-1].items() if name[1] == "report.export"}
    assert last == {f"{name}_jobs_total": value for name, value in TOTALS.items()}


TOTALS = {"accepted": 1, "started": 1, "succeeded": 1, "failed": 1, "retried": 2, "requeued": 1}


def test_every_metric_that_the_contract_names_is_there_and_no_other(acme: Client, product: Product) -> None:
    contract = (Path(__file__).resolve().parents[2] / "docs" / "contract.md").read_text()
    section = contract.partition("### Metrics")[2].partition("\n### ")[0]
    promised = set(re.findall(r"^\| `([a-z0-9_]+)", section, re.MULTILINE))
    acme.post("/v1/reports", json=REPORT)
    product.do("UPDATE jobs SET state = 'succeeded', started_at = now(), finished_at = now()")
    product.do("INSERT INTO scaling (pool, replicas, reason) VALUES ('io', 1, 'up')")  # where an autoscaler has decided
    shown = set(re.findall(r"^([a-z][a-z0-9_]+)[{ ]", acme.get("/metrics").text, re.MULTILINE))
    assert shown == promised
