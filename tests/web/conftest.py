"""The web process before real servers: a small product of two tenants, and clients of either."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from accepted.stack import ports
from accepted.stack.child import Spec
from accepted.stack.health import Http
from accepted.stack.logs import Logs
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether

ACME, BOLT = "token-of-acme-0123456789", "token-of-bolt-0123456789"
WRITTEN = (
    "reports",
    "webhook_events",
    "emails",
    "payouts",
    "jobs",
    "outbox",
    "job_events",
    "outbox_sequences",
    "idempotency_keys",
    "effects",
)


@dataclass(frozen=True)
class Product:
    """Ids of what each tenant has, and a way to look."""

    url: str
    invoice: int
    foreign_invoice: int
    account: int
    foreign_account: int

    def all(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, values or None).fetchall()

    def one(self, statement: str, *values: object) -> object:
        return self.all(statement, *values)[0][0]

    def do(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, values or None)

    def rows(self) -> dict[str, int]:
        """How many rows each table holds that a request may write."""
        counted = ", ".join(f"(SELECT count(*) FROM {name})" for name in WRITTEN)
        return dict(zip(WRITTEN, self.all(f"SELECT {counted}")[0], strict=True))


def small_product(url: str) -> Product:
    """Two tenants with an invoice, a subscriber and a payout account each, in a migrated, empty database."""
    found: dict[str, tuple[int, int]] = {}
    with psycopg.connect(url) as c:
        for tenant, token in (("acme", ACME), ("bolt", BOLT)):
            digest = hashlib.sha256(token.encode()).hexdigest()
            c.execute("INSERT INTO tenants VALUES (%s, %s, %s)", (tenant, tenant.title(), digest))
            customer = c.execute(
                "INSERT INTO customers (tenant_id, name, email, phone, address, tax_id) VALUES"
                " (%s, 'Ada Byron', 'ada@example.com', '+44 20 7946 0000', 'a street', 'GB1') RETURNING id",
                (tenant,),
            ).fetchone()
            assert customer
            invoice = c.execute(
                "INSERT INTO invoices"
                " (tenant_id, customer_id, number, status, currency, issued_on, due_on, total_cents) VALUES"
                " (%s, %s, 'A-1', 'open', 'EUR', '2026-03-01', '2026-03-31', 1200) RETURNING id",
                (tenant, customer[0]),
            ).fetchone()
            c.execute(
                "INSERT INTO subscribers (tenant_id, url, secret) VALUES (%s, 'http://127.0.0.1:9/hooks/a', 'whsec_A')",
                (tenant,),
            )
            account = c.execute(
                "INSERT INTO payout_accounts (tenant_id, holder_name, iban, currency)"
                " VALUES (%s, 'Ada Byron', 'DE89370400440532013000', 'EUR') RETURNING id",
                (tenant,),
            ).fetchone()
            assert invoice and account
            found[tenant] = (invoice[0], account[0])
    return Product(url, found["acme"][0], found["bolt"][0], found["acme"][1], found["bolt"][1])


@pytest.fixture
def product(postgres_url: str) -> Product:
    return small_product(postgres_url)


@pytest.fixture
def flask_app(app_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    from app.shared import auth, web

    from billing import db
    from billing.settings import settings

    monkeypatch.setenv("OBJECT_STORE_URL", "memory://")
    settings.cache_clear()
    db.limit_connections(4)
    auth.forget()
    yield web.create_app()
    auth.forget()


class Client(FlaskClient):
    """A client that signs each request with its token, unless told otherwise."""

    token: str | None = None

    def open(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        headers = dict(kwargs.pop("headers", None) or {})  # type: ignore[call-overload]
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        return super().open(*args, headers=headers, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def client_of(flask_app: Flask) -> Callable[[str | None], Client]:
    flask_app.test_client_class = Client

    def make(token: str | None) -> Client:
        client = flask_app.test_client()
        assert isinstance(client, Client)
        client.token = token
        return client

    return make


@pytest.fixture
def acme(product: Product, client_of: Callable[[str | None], Client]) -> Client:
    return client_of(ACME)


@pytest.fixture
def bolt(product: Product, client_of: Callable[[str | None], Client]) -> Client:
    return client_of(BOLT)


@pytest.fixture
def nobody(product: Product, client_of: Callable[[str | None], Client]) -> Client:
    return client_of(None)


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Waits for the condition; fails where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class Served:
    """The tree's own `web` process (gunicorn) on a port of its own."""

    url: str
    log: Path


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def served(app_environment: None, product: Product, tether: Tether, tmp_path: Path) -> Iterator[Served]:
    port = ports.free_port()
    env = {**os.environ, "PORT": str(port), "WEB_WORKERS": "1", "WEB_THREADS": "12", "NOOPS": "1"}
    with ExitStack() as done:
        logs = Logs(tmp_path / "logs")
        done.callback(logs.close)
        runner = Runner(env=env, cwd=ROOT, logs=logs, tether=tether, grace=5)
        done.callback(runner.close)
        runner.add(Spec("web", "python -m app web", restart="never", health=Http(port)))
        runner.start()
        runner.wait_healthy(30)
        yield Served(f"http://127.0.0.1:{port}", tmp_path / "logs" / "web.log")
