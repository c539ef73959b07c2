"""The product's reads: by tenant and never across, in pages, without secrets; and the snapshot that shows too much."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from billing import api, db, queries
from billing.db import sqlalchemy_url
from billing.seed import PII, Summary, seed
from billing.settings import settings
from billing.snapshot import snapshot


@pytest.fixture
def seeded(postgres_url: str) -> Summary:
    return seed(postgres_url, "tiny", partner_url="http://127.0.0.1:9")


@pytest.fixture
def session(postgres_url: str, seeded: Summary) -> Iterator[Session]:
    engine = create_engine(sqlalchemy_url(postgres_url))
    with Session(engine) as s:
        yield s
    engine.dispose()


@pytest.fixture
def client(postgres_url: str, seeded: Summary, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A host app that takes every caller for acme."""
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    settings.cache_clear()
    db.dispose()
    host = Flask("host")
    host.register_blueprint(api.blueprint)
    host.before_request(lambda: setattr(g, "tenant_id", "acme"))
    yield host.test_client()
    db.dispose()
    settings.cache_clear()


def pages(client: FlaskClient, path: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    cursor = ""
    for _ in range(1_000):
        answer = client.get(f"{path}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        found += answer.json["data"]
        cursor = answer.json["next"]
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


def test_pages_hold_each_invoice_of_the_tenant_once_and_no_other(client: FlaskClient, seeded: Summary) -> None:
    found = pages(client, "/v1/invoices?limit=7")
    assert [one["id"] for one in found] == list(seeded.tenants["acme"].invoices)


def test_a_page_that_ends_with_the_last_row_has_no_next(client: FlaskClient, seeded: Summary) -> None:
    count = len(seeded.tenants["acme"].invoices)
    assert count <= 200
    assert client.get(f"/v1/invoices?limit={count}").json["next"] is None


def test_one_status_can_be_asked_for(client: FlaskClient) -> None:
    everything, paid = pages(client, "/v1/invoices?limit=50"), pages(client, "/v1/invoices?limit=3&status=paid")
    assert paid == [one for one in everything if one["status"] == "paid"]
    assert 0 < len(paid) < len(everything)


def test_an_invoice_comes_with_its_lines_and_another_tenants_is_not_found(client: FlaskClient, seeded: Summary) -> None:
    mine, theirs = seeded.tenants["acme"].invoices[0], seeded.tenants["globex"].invoices[0]
    found = client.get(f"/v1/invoices/{mine}").json
    assert found["total_cents"] == sum(line["amount_cents"] for line in found["lines"])
    assert found["customer"]["email"].endswith("@customers.example")
    assert client.get(f"/v1/invoices/{theirs}").status_code == 404


def test_subscribers_are_listed_without_their_secrets(client: FlaskClient, seeded: Summary) -> None:
    found = pages(client, "/v1/subscribers?limit=2")
    assert [one["id"] for one in found] == list(seeded.tenants["acme"].subscribers)
    assert "whsec_" not in json.dumps(found)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/invoices?limit=0", 400),
        ("/v1/invoices?limit=201", 400),
        ("/v1/invoices?limit=ten", 400),
        ("/v1/invoices?limit=²", 400),
        ("/v1/invoices?status=lost", 400),
        ("/v1/invoices?cursor=nonsense", 400),
        ("/v1/invoices?cursor=YWZ0ZXI6LTE=", 400),  # after:-1
        ("/v1/invoices?cursor=YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OQ==", 400),  # more than a bigint holds
        ("/v1/invoices/99999999999999999999999999", 404),
        ("/v1/invoices/0", 404),
    ],
)
def test_what_makes_no_sense_is_refused_by_a_4xx(client: FlaskClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_a_token_finds_its_tenant_and_a_wrong_one_nobody(session: Session, seeded: Summary) -> None:
    for name, token in seeded.tokens.items():
        found = queries.tenant_by_token(session, token)
        assert found is not None and found.id == name
    for wrong in ("", "tok_acme_", seeded.tokens["acme"] + "x", "\x00", "\udc80"):
        assert queries.tenant_by_token(session, wrong) is None


def test_no_read_reaches_across_tenants(session: Session, seeded: Summary) -> None:
    theirs = seeded.tenants["globex"]
    invoice = theirs.invoices[0]
    assert queries.invoice(session, "acme", invoice) is None
    assert queries.lines(session, "acme", invoice) == []
    assert queries.customer(session, "acme", theirs.customers[0]) is None
    assert queries.subscriber(session, "acme", theirs.subscribers[0]) is None
    assert queries.payout_account(session, "acme", theirs.accounts[0]) is None
    with pytest.raises(queries.UnknownInvoice):
        queries.bump_invoice(session, "acme", invoice)
    before = queries.invoice(session, "globex", invoice)
    assert before is not None and before.version == 1


def test_a_bump_adds_one_and_holds_the_row_until_the_transaction_ends(
    session: Session, seeded: Summary, postgres_url: str
) -> None:
    invoice = seeded.tenants["acme"].invoices[0]
    assert [queries.bump_invoice(session, "acme", invoice) for _ in range(2)] == [2, 3]
    engine = create_engine(sqlalchemy_url(postgres_url), connect_args={"options": "-c lock_timeout=50ms"})
    with Session(engine) as other, pytest.raises(Exception, match="lock timeout"):
        queries.bump_invoice(other, "acme", invoice)
    session.commit()
    with Session(engine) as other:
        assert queries.bump_invoice(other, "acme", invoice) == 4
    engine.dispose()


def test_a_printed_row_shows_nothing_personal_and_no_secret(session: Session, seeded: Summary) -> None:
    mine = seeded.tenants["acme"]
    rows = (
        queries.customer(session, "acme", mine.customers[0]),
        queries.payout_account(session, "acme", mine.accounts[0]),
        queries.subscriber(session, "acme", mine.subscribers[0]),
    )
    assert None not in rows
    assert PII.search(repr(rows)) is None and "whsec_" not in repr(rows)


@pytest.mark.parametrize("kind", ["report.export", "webhook.fanout", "webhook.deliver", "email.send", "payout.send"])
def test_a_snapshot_carries_what_a_queue_should_never_see(session: Session, seeded: Summary, kind: str) -> None:
    mine = seeded.tenants["acme"]
    args = {
        "tenant_id": "acme",
        "invoice_id": mine.invoices[0],
        "subscriber_id": mine.subscribers[0],
        "account_id": mine.accounts[0],
        "report_id": "none such",
    }
    carried = json.dumps(snapshot(session, kind, args), ensure_ascii=False)
    assert PII.search(carried)
    theirs = seeded.tenants["globex"]
    assert not any(f"(c{number})" in carried for number in theirs.customers)
    assert not any(f"(p{number})" in carried for number in theirs.accounts)


def test_a_snapshot_of_nothing_says_none(session: Session) -> None:
    found = snapshot(session, "email.send", {"tenant_id": "acme", "invoice_id": 10**30})
    assert (found["invoice"], found["customer"]) == (None, None)
    assert snapshot(session, "noop", {"x": 1}) == {"kind": "noop", "args": {"x": 1}}
