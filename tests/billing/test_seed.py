"""Made-up data: the same for the same seed, never doubled, recognisable where it is personal."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from click.testing import CliRunner

from billing.seed import PII, AlreadySeeded, seed, token
from billing.seed.__main__ import main
from billing.seed.people import iban_is_valid
from billing.seed.rows import amount

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


def test_of_two_who_seed_at_once_one_is_told_so(postgres_url: str) -> None:
    def attempt(_: int) -> str:
        try:
            seed(postgres_url, "tiny")
        except AlreadySeeded:
            return "told"
        return "seeded"

    with ThreadPoolExecutor(2) as two:
        assert sorted(two.map(attempt, range(2))) == ["seeded", "told"]
    assert count(postgres_url, "SELECT count(*) FROM tenants") == 2


def test_the_next_row_takes_the_next_id(seeded: str) -> None:
    last = count(seeded, "SELECT max(id) FROM subscribers")
    with psycopg.connect(seeded) as c:
        row = c.execute("INSERT INTO subscribers (tenant_id, url, secret) VALUES ('acme', 'x', 'y') RETURNING id")
        assert row.fetchone() == (last + 1,)


def test_the_lines_asked_for_are_the_lines_of_acmes_issued_invoices(postgres_url: str) -> None:
    told: list[tuple[int, int]] = []
    found = seed(postgres_url, lines=1_234, progress=lambda done, total: told.append((done, total)))
    issued = """
        SELECT count(*) FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id
        WHERE i.tenant_id = 'acme' AND i.status <> 'draft'
    """
    assert count(postgres_url, issued) == found.tenants["acme"].lines == 1_234
    assert count(postgres_url, "SELECT count(*) FROM invoice_lines") == found.lines
    assert told[-1][0] == told[-1][1]


def test_invoices_lie_in_each_of_the_twelve_months(seeded: str) -> None:
    assert count(seeded, "SELECT count(DISTINCT date_trunc('month', issued_on)) FROM invoices") == 12


def test_an_amount_is_quantity_times_unit_plus_tax_rounded_half_away_from_zero() -> None:
    assert amount(1_000, 50, 100) == 51  # 50.50
    assert amount(1_000, -50, 100) == -51
    assert amount(2_500, 1_000, 1_900) == 2_975
    assert amount(250, 1, 0) == 0


def test_every_personal_value_bears_a_mark_that_a_search_finds(seeded: str) -> None:
    with psycopg.connect(seeded) as c:
        people = c.execute("SELECT name, email, phone, address, tax_id FROM customers").fetchall()
        payees = c.execute("SELECT holder_name, iban FROM payout_accounts").fetchall()
        rest = c.execute("SELECT string_agg(i::text || l::text, ' ') FROM invoices i, invoice_lines l").fetchone()
    assert all(PII.search(value) for row in [*people, *payees] for value in row)
    assert rest is not None and PII.search(rest[0]) is None


def test_the_command_seeds_says_what_it_made_and_refuses_to_double_it(postgres_url: str) -> None:
    command = ["--scale", "tiny", "--json", "--database-url", postgres_url]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.output
    assert json.loads(first.output)["tenants"]["acme"]["token"] == token("acme", 7)
    second = CliRunner().invoke(main, command)
    assert second.exit_code == 1 and "nothing was written" in second.output


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "blank"])
def test_the_command_says_in_one_line_what_is_missing(url: str, blank_postgres_url: str) -> None:
    outcome = CliRunner().invoke(main, ["--database-url", blank_postgres_url if url == "blank" else url])
    assert outcome.exit_code == 1 and len(outcome.output.strip().splitlines()) == 1
    assert ("DATABASE_URL" if url != "blank" else "migrate") in outcome.output
