"""Looking at jobs: one, a page, a report's artifact; never another tenant's."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.settings import settings

from .conftest import Client, Product, until

REPORT = {"format": "csv", "from": "2026-01-01", "to": "2026-03-31"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def export(client: Client) -> str:
    return str(client.post("/v1/reports", json=REPORT).json["job"]["id"])


def finish(product: Product, job: str, content: bytes = b"a,b\n") -> None:
    """Ends a report's job as a worker would: an object in the store, the pointer, the state."""
    from app.shared import artifacts

    report = product.one("SELECT args->>'report_id' FROM jobs WHERE id = %s", job)
    key = f"acme/reports/{report}/v1/1.csv"
    upload = artifacts.store().begin(key)
    etag = artifacts.store().put_part(upload, 1, [content])
    artifacts.store().complete(upload, [(1, etag)])
    product.do("UPDATE reports SET artifact_key = %s, artifact_fence = 1 WHERE id = %s", key, report)
    product.do(
        "UPDATE jobs SET state = 'succeeded', percent = 100, event_seq = 2, finished_at = now() WHERE id = %s", job
    )


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/artifact"])
def test_a_foreign_an_unknown_and_a_malformed_job_are_the_same_404(
    acme: Client, bolt: Client, product: Product, path: str
) -> None:
    mine = export(acme)
    finish(product, mine)
    answers = [bolt.get(path.format(job)) for job in (mine, UNKNOWN, "42", "%00")]
    assert {answer.status_code for answer in answers} == {404}
    told = [{k: v for k, v in answer.json.items() if k not in ("instance", "trace_id")} for answer in answers]
    assert all(each == told[0] for each in told)


def test_a_poller_is_told_when_to_come_back_and_that_nothing_has_changed(acme: Client, product: Product) -> None:
    job = export(acme)
    first = acme.get(f"/jobs/{job}")
    assert first.headers["Retry-After"] == "1"
    same = acme.get(f"/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    product.do("UPDATE jobs SET state = 'running', percent = 40, event_seq = 2 WHERE id = %s", job)
    news = acme.get(f"/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (news.status_code, news.json["job"]["percent"]) == (200, 40)


def test_a_finished_report_leads_to_its_file_by_signed_url(acme: Client, nobody: Client, product: Product) -> None:
    job = export(acme)
    assert acme.get(f"/jobs/{job}/artifact").status_code == 404
    finish(product, job)
    shown = acme.get(f"/jobs/{job}")
    assert "Retry-After" not in shown.headers
    expires = datetime.fromisoformat(shown.json["job"]["artifact"]["expires_at"])
    assert 0 < (expires - datetime.now(UTC)).total_seconds() <= 902
    assert acme.get(shown.json["links"]["artifact"]).status_code == 303
    assert nobody.get(_local(shown.json["job"]["artifact"]["url"])).status_code == 307


def test_a_finished_reports_etag_holds_although_its_url_is_another_one_each_time(
    acme: Client, product: Product
) -> None:
    job = export(acme)
    finish(product, job)
    first = acme.get(f"/jobs/{job}")
    until(lambda: _url_of(acme, job) != first.json["job"]["artifact"]["url"])
    assert acme.get(f"/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_url_that_will_not_do_for_long_is_news(
    acme: Client, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_TTL", "2")
    settings.cache_clear()
    job = export(acme)
    finish(product, job)
    etag = acme.get(f"/jobs/{job}").headers["ETag"]
    until(lambda: acme.get(f"/jobs/{job}", headers={"If-None-Match": etag}).status_code == 200)


def _url_of(client: Client, job: str) -> str:
    return str(client.get(f"/jobs/{job}").json["job"]["artifact"]["url"])


def test_a_signed_url_that_was_changed_is_403_expired_410_and_anothers_404(
    acme: Client, bolt: Client, nobody: Client, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = export(acme)
    finish(product, job)
    url = _local(acme.get(f"/jobs/{job}").json["job"]["artifact"]["url"])
    assert _refused(nobody.get(url[:-1] + ("0" if url[-1] != "0" else "1"))) == 403
    assert _refused(nobody.get(url.replace("expires=", "expires=1"))) == 403
    assert _refused(nobody.get(url.replace("/acme/", "/bolt/"))) == 403
    assert _refused(nobody.get(url.partition("?")[0])) == 403
    assert _refused(bolt.get(url)) == 404
    assert acme.get(url).status_code == 307
    monkeypatch.setenv("URL_TTL", "1")
    settings.cache_clear()
    short = _local(_url_of(acme, job))
    until(lambda: nobody.get(short).status_code != 307)
    assert _refused(nobody.get(short)) == 410


def _local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _refused(answer: Any) -> int:
    assert answer.content_type == "application/problem+json"
    return int(answer.status_code)


def test_a_failed_job_says_why_in_redacted_words(acme: Client, product: Product) -> None:
    job = export(acme)
    error = '{"class": "PartnerError", "message": "no"}'
    product.do("UPDATE jobs SET state = 'failed', error = %s, finished_at = now() WHERE id = %s", error, job)
    shown = acme.get(f"/jobs/{job}").json["job"]
    assert shown["error"] == {"class": "PartnerError", "message": "no", "redacted": True}


def test_pages_hold_every_job_once_the_newest_first(acme: Client, bolt: Client, product: Product) -> None:
    mine = [export(acme) for _ in range(5)]
    export(bolt)
    # Two accepted in the same microsecond must not be lost between two pages.
    product.do("UPDATE jobs SET accepted_at = '2026-01-01' WHERE id = ANY(%s::uuid[])", mine[:3])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = acme.get("/jobs?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
    assert len(seen) == 5 and set(seen) == set(mine)
    assert seen[:2] == [mine[4], mine[3]]


def test_a_page_can_be_of_one_kind_one_state_or_one_parent(acme: Client, product: Product) -> None:
    report = export(acme)
    fanout = acme.post(f"/v1/invoices/{product.invoice}/webhooks").json["job"]["id"]
    product.do(
        "INSERT INTO jobs"
        " (id, tenant_id, kind, natural_key, args, aggregate, seq, parent_id, state, trace_id, traceparent)"
        " VALUES (gen_random_uuid(), 'acme', 'webhook.deliver', 'k', '{}', 'a', 1, %s, 'failed', 't', 't')",
        fanout,
    )

    def ids(query: str) -> list[str]:
        return [job["kind"] for job in acme.get(f"/jobs?{query}").json["jobs"]]

    assert ids("kind=report.export") == ["report.export"]
    assert ids("state=failed") == ["webhook.deliver"]
    assert ids(f"parent={fanout}") == ["webhook.deliver"]
    assert sorted(ids("parent=none")) == ["report.export", "webhook.fanout"]
    counted = acme.get(f"/jobs/{fanout}").json
    assert counted["job"]["children"]["total"] == 1 == counted["job"]["children"]["failed"]
    assert counted["links"]["children"] == f"/jobs?parent={fanout}"
    assert acme.get(f"/jobs/{report}").json["job"]["children"] is None


def test_the_list_says_where_its_own_events_go_on(acme: Client, product: Product) -> None:
    """`since` is a snapshot taken before the list was read: what the list shows may come again, nothing is left out."""
    export(acme)
    link = acme.get("/jobs").json["links"]["events"]
    (since,) = parse_qs(urlsplit(link).query)["since"]
    unseen = "SELECT count(*) FROM job_events WHERE NOT pg_visible_in_snapshot(xact, CAST(%s AS pg_snapshot))"
    assert product.one(unseen, since) == 0
    export(acme)
    assert product.one(unseen, since) == 1
