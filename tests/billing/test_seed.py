"""Made-up data: the same for the same seed, never doubled, recognisable where it is personal."""

import hashlib

import psycopg
import pytest

from billing.seed import AlreadySeeded, seed, token
from billing.seed.people import iban_is_valid

TABLES = ("tenants", "customers", "invoices", "invoice_lines", "subscribers", "payout_accounts")


def checksums(url: str) -> dict[str, str]:
    with psycopg.connect(url) as c:
        found = {}
        for table in TABLES:
            rows = c.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
            found[table] = hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()
        return found


def count(url: str, statement: str) -> int:
    with psycopg.connect(url) as c:
        row = c.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def seeded(postgres_url: str) -> str:
    seed(postgres_url, "tiny", partner_url="http://127.0.0.1:9", seed=7)
    return postgres_url


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(seeded: str) -> None:
    first = checksums(seeded)
    with psycopg.connect(seeded) as c:
        c.execute("TRUNCATE tenants CASCADE")
    seed(seeded, "tiny", partner_url="http://127.0.0.1:9", seed=7)
    assert checksums(seeded) == first
    with psycopg.connect(seeded) as c:
        c.execute("TRUNCATE tenants CASCADE")
    seed(seeded, "tiny", partner_url="http://127.0.0.1:9", seed=8)
    other = checksums(seeded)
    assert all(other[table] != first[table] for table in ("tenants", "customers", "invoices", "invoice_lines"))


def test_a_seeded_database_is_not_seeded_twice(seeded: str) -> None:
    before = checksums(seeded)
    with pytest.raises(AlreadySeeded):
        seed(seeded, "tiny", partner_url="http://127.0.0.1:9", seed=7)
    assert checksums(seeded) == before


def test_every_invoice_adds_up_to_its_lines(seeded: str) -> None:
    wrong = """
        SELECT count(*) FROM invoices i
        WHERE total_cents <> (SELECT coalesce(sum(amount_cents), 0) FROM invoice_lines l WHERE l.invoice_id = i.id)
    """
    assert count(seeded, "SELECT count(*) FROM invoice_lines") >= 200
    assert count(seeded, wrong) == 0


def test_personal_data_can_be_told_from_everything_else(seeded: str) -> None:
    assert count(seeded, "SELECT count(*) FROM customers WHERE email NOT LIKE '%@customers.example'") == 0
    with psycopg.connect(seeded) as c:
        ibans = [row[0] for row in c.execute("SELECT iban FROM payout_accounts").fetchall()]
    assert ibans and all(iban_is_valid(iban) for iban in ibans)


def test_only_the_hash_of_a_token_is_stored(seeded: str) -> None:
    known = hashlib.sha256(token("acme", 7).encode()).hexdigest()
    with psycopg.connect(seeded) as c:
        row = c.execute("SELECT token_hash FROM tenants WHERE id = 'acme'").fetchone()
        everything = c.execute("SELECT string_agg(t::text, ' ') FROM tenants t").fetchone()
    assert row == (known,)
    assert everything is not None and token("acme", 7) not in everything[0]
