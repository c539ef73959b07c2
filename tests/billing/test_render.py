"""Reports: whole, in parts, safe in a spreadsheet, flat in memory, and handsome in every alphabet."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from billing.db import sqlalchemy_url
from billing.render import Report, TooLarge, count_lines, pdf
from billing.render import csv as csv_report
from billing.render.pdfrows import summarise
from billing.render.style import money, quantity
from billing.seed import PERIOD, seed

YEAR = Report("acme", *PERIOD)


@pytest.fixture
def session(postgres_url: str) -> Iterator[Session]:
    seed(postgres_url, "tiny", partner_url="http://127.0.0.1:9", seed=7)
    engine = create_engine(sqlalchemy_url(postgres_url))
    with Session(engine) as s:
        yield s
    engine.dispose()


def parsed(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_csv_holds_every_line_of_every_issued_invoice(session: Session) -> None:
    rows = parsed(b"".join(csv_report.report_csv(session, "acme", *PERIOD)))
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    expected = raw.execute("""
        SELECT count(*), sum(l.amount_cents) FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id
        WHERE i.tenant_id = 'acme' AND i.status <> 'draft'
    """).fetchone()
    assert expected is not None
    assert (len(rows), sum(round(float(row["amount"]) * 100) for row in rows)) == (expected[0], expected[1])


def test_the_parts_of_a_csv_are_the_whole_and_no_line_is_in_two(session: Session) -> None:
    whole = b"".join(csv_report.report_csv(session, "acme", *PERIOD))
    ranges = csv_report.plan(session, YEAR, part_bytes=2_000)
    assert len(ranges) > 3
    assert b"".join(b"".join(csv_report.render_range(session, YEAR, one)) for one in ranges) == whole
    assert sum(one.lines for one in ranges) == whole.count(b"\n") - 1


def test_an_empty_period_is_a_file_with_a_header(session: Session) -> None:
    nothing = Report("acme", date(1999, 1, 1), date(1999, 1, 31))
    ranges = csv_report.plan(session, nothing)
    assert b"".join(b"".join(csv_report.render_range(session, nothing, one)) for one in ranges) == csv_report.HEADER


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", " =cmd()", "\t=1", "＝1+1"])
def test_text_that_a_spreadsheet_would_run_is_defused(session: Session, text: str) -> None:
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    raw.execute("UPDATE invoice_lines SET description = %s", (text,))
    rows = parsed(b"".join(csv_report.report_csv(session, "acme", *PERIOD)))
    assert {row["description"] for row in rows} == {"'" + text}


def test_another_tenant_is_in_no_report(session: Session) -> None:
    acme = b"".join(csv_report.report_csv(session, "acme", *PERIOD))
    globex = b"".join(csv_report.report_csv(session, "globex", *PERIOD))
    assert b"USD" in globex and b"USD" not in acme


def test_a_pdf_is_the_same_for_the_same_rows_and_refuses_more_than_it_can_take(session: Session) -> None:
    contents = pdf.read(session, YEAR)
    seen: list[tuple[int, int]] = []
    file = pdf.render(contents, lambda done, total: seen.append((done, total)))
    assert file.startswith(b"%PDF-") and file == pdf.render(contents)
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(TooLarge, match="Ask for CSV"):
        pdf.read(session, YEAR, limit=10)


def test_a_name_in_polish_is_set_in_letters_that_the_font_has(session: Session) -> None:
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    raw.execute("UPDATE customers SET name = 'Łukasz Żółć'")
    contents = pdf.read(session, YEAR)
    assert {invoice.rows[0].customer for invoice in contents.invoices} == {"Łukasz Żółć"}
    from billing.render.style import drawable

    assert drawable("Łukasz Żółć") == "Łukasz Żółć"
    assert drawable("漢") != "漢"  # a letter that it has not is replaced, not drawn as a box


def test_a_download_given_up_half_way_leaves_the_connection_fit_for_use(session: Session) -> None:
    rows = csv_report.report_csv(session, "acme", *PERIOD)
    assert next(rows) == csv_report.HEADER
    assert b"2025-000001" in next(rows)
    rows.close()
    session.rollback()
    assert count_lines(session, YEAR) == 200


def test_text_longer_than_a_page_makes_no_row_that_fits_on_none(session: Session) -> None:
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    raw.execute("UPDATE invoice_lines SET description = repeat('ł', 20000) WHERE invoice_id < 5")
    raw.execute("UPDATE customers SET name = '</b></i> & <font ' || repeat('Ż ', 3000)")
    assert pdf.render(pdf.read(session, YEAR)).startswith(b"%PDF-")


def test_void_invoices_are_listed_but_never_summed_and_currencies_are_kept_apart(session: Session) -> None:
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    raw.execute("UPDATE invoices SET status = 'void' WHERE id %% 3 = 0 AND status <> 'draft'", ())
    raw.execute("UPDATE invoices SET currency = 'CHF' WHERE id %% 5 = 0", ())
    expected = dict(
        raw.execute("""
            SELECT currency, sum(total_cents) FILTER (WHERE status <> 'void') FROM invoices
            WHERE tenant_id = 'acme' AND status <> 'draft' GROUP BY currency
        """).fetchall()
    )
    totals = summarise(pdf.read(session, YEAR).invoices)
    assert set(totals) == {"CHF", "EUR"}
    assert {currency: total.cents for currency, total in totals.items()} == expected
    assert sum(total.lines for total in totals.values()) == 200 and sum(total.void for total in totals.values()) > 3


@pytest.mark.parametrize(("cents", "shown"), [(0, "0.00"), (5, "0.05"), (-5, "−0.05"), (123_456_789, "1,234,567.89")])
def test_cents_are_shown_to_the_cent(cents: int, shown: str) -> None:
    assert money(cents) == shown


@pytest.mark.parametrize(
    ("amount", "shown"), [("1000.000", "1,000"), ("2.500", "2.5"), ("0.125", "0.125"), ("10", "10")]
)
def test_a_quantity_loses_no_digit_that_says_something(amount: str, shown: str) -> None:
    assert quantity(Decimal(amount)) == shown
