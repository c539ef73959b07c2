"""What a report covers, and the rows that both renderers draw from."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import cast

import psycopg
from sqlalchemy.orm import Session

Cursor = psycopg.Cursor[tuple[object, ...]]

# Drafts were never issued, so they are in no report; void invoices are listed, with their status, and not summed.
INVOICES = """
    i.tenant_id = %(tenant)s AND i.status <> 'draft' AND i.issued_on BETWEEN %(period_from)s AND %(period_to)s
"""


class TooLarge(Exception):
    """The report has more lines than this renderer takes on."""

    def __init__(self, lines: int, limit: int) -> None:
        super().__init__(
            f"The report has {lines:,} lines and a PDF takes {limit:,} at most. Ask for CSV, or for a shorter period."
        )
        self.lines = lines
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Report:
    """A tenant's invoices issued from `period_from` to `period_to`, both days included."""

    tenant_id: str
    period_from: date
    period_to: date

    def parameters(self) -> Mapping[str, object]:
        return {"tenant": self.tenant_id, "period_from": self.period_from, "period_to": self.period_to}


def cursor(s: Session, name: str = "") -> AbstractContextManager[Cursor]:
    """A psycopg cursor in the session's own transaction; with a name, one that lives in the server."""
    connection = cast("psycopg.Connection[tuple[object, ...]]", s.connection().connection.driver_connection)
    return connection.cursor(name) if name else connection.cursor()


def count_lines(s: Session, report: Report) -> int:
    """How many invoice lines the report holds."""
    with cursor(s) as found:
        found.execute(
            f"SELECT count(*) FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id WHERE {INVOICES}".encode(),
            report.parameters(),
        )
        row = found.fetchone()
    return cast(int, row[0]) if row else 0
