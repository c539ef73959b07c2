"""A report as CSV: rendered by Postgres, streamed in flat memory, safe to open in a spreadsheet.

UTF-8, comma, one header line, lines end with LF; text is always quoted; amounts are decimals with two places in the
currency of their row. Text that a spreadsheet would run as a formula is preceded by an apostrophe.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import cast

from sqlalchemy.orm import Session

from .report import INVOICES, Report, cursor

HEADER = b"invoice,issued_on,due_on,status,customer,currency,position,description,quantity,unit,tax_percent,amount\n"
BLOCK = 64 * 1024
# Every part but the last lies between S3's lower bound of 5 MiB and 8 MiB, so that a part is also cheap to repeat.
PART_BYTES = 7 * 1024 * 1024
EVERYTHING = (0, 2**63 - 1)
# Separators, quotes, line end, two dates, status, currency and position of one row.
FIXED_BYTES = 48

_JOIN = """
    invoices i
    JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id
    JOIN invoice_lines l ON l.invoice_id = i.id
"""


def _text(column: str) -> str:
    """The column, defused: spreadsheets run what starts with = + - @ (or their full-width twins), and some skip
    white space before it."""
    return f"CASE WHEN {column} ~ '^\\s*[=+@＝＋－＠-]|^[\\t\\r\\n]' THEN '''' || {column} ELSE {column} END"


_ROWS = f"""
    SELECT {_text("i.number")} AS invoice, i.issued_on, i.due_on, i.status, {_text("c.name")} AS customer, i.currency,
           l.position, {_text("l.description")} AS description, l.quantity,
           round(l.unit_cents * 0.01, 2) AS unit, l.tax_percent, round(l.amount_cents * 0.01, 2) AS amount
    FROM {_JOIN}
    WHERE {INVOICES} AND i.id BETWEEN %(first_id)s AND %(last_id)s
    ORDER BY i.id, l.position
"""
_COPY = f"COPY ({_ROWS}) TO STDOUT (FORMAT csv, FORCE_QUOTE (invoice, customer, description))".encode()

_PLAN = f"""
    WITH sizes AS (
        SELECT i.id, count(*) AS lines,
               sum({FIXED_BYTES} + octet_length(i.number) + octet_length(c.name) + octet_length(l.description)
                   + length(l.quantity::text) + length(l.unit_cents::text)
                   + length(l.tax_percent::text) + length(l.amount_cents::text)) AS bytes
        FROM {_JOIN} WHERE {INVOICES} GROUP BY i.id
    ), cut AS (
        SELECT id, lines, div(sum(bytes) OVER (ORDER BY id) - bytes, %(part_bytes)s) AS part FROM sizes
    )
    SELECT min(id), max(id), sum(lines)::bigint FROM cut GROUP BY part ORDER BY part
""".encode()


@dataclass(frozen=True, slots=True)
class Range:
    """Part `part` (from 1) of a report: the invoices with ids from `first_id` to `last_id`, so many lines."""

    part: int
    first_id: int
    last_id: int
    lines: int


def plan(s: Session, report: Report, part_bytes: int = PART_BYTES) -> list[Range]:
    """Cuts the report into parts of about `part_bytes`, at least one. Their renderings in order are the whole file.

    A plan holds ids, so it may be kept and carried out later, by others: a part renders the same again as long as
    its invoices don't change.
    """
    with cursor(s) as found:
        found.execute(_PLAN, {**report.parameters(), "part_bytes": part_bytes})
        cuts = cast(list[tuple[int, int, int]], found.fetchall())
    return [Range(part, *cut) for part, cut in enumerate(cuts, 1)] or [Range(1, 0, 0, 0)]


def render_range(s: Session, report: Report, part: Range) -> Iterator[bytes]:
    """One part in blocks of about 64 KiB; the first part starts with the header line. One statement, so one view of
    the data; runs in the session's transaction while it's iterated."""
    if part.part == 1:
        yield HEADER
    if part.lines:
        yield from _copy(s, report, part.first_id, part.last_id)


def report_csv(s: Session, tenant_id: str, period_from: date, period_to: date) -> Iterator[bytes]:
    """The whole report at once, in blocks of about 64 KiB."""
    yield HEADER
    yield from _copy(s, Report(tenant_id, period_from, period_to), *EVERYTHING)


def _copy(s: Session, report: Report, first_id: int, last_id: int) -> Iterator[bytes]:
    with (
        cursor(s) as found,
        found.copy(_COPY, {**report.parameters(), "first_id": first_id, "last_id": last_id}) as rows,
    ):
        block = bytearray()
        for row in rows:
            block += row
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)
