"""The rows that a PDF shows, read at once (a PDF is bounded), and what is added up from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy.orm import Session

from .report import INVOICES, Report, cursor

_ROWS = f"""
    SELECT i.id, i.number, i.issued_on, i.due_on, i.status, i.currency, i.customer_id, c.name,
           l.description, l.quantity, l.unit_cents, l.tax_percent, l.amount_cents
    FROM invoices i
    JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id
    JOIN invoice_lines l ON l.invoice_id = i.id
    WHERE {INVOICES}
    ORDER BY i.id, l.position
""".encode()


class Row(NamedTuple):
    invoice_id: int
    number: str
    issued_on: date
    due_on: date
    status: str
    currency: str
    customer_id: int
    customer: str
    description: str
    quantity: Decimal
    unit_cents: int
    tax_percent: Decimal
    amount_cents: int


@dataclass(frozen=True)
class InvoiceRows:
    """One invoice's rows, at least one."""

    rows: list[Row]

    @property
    def head(self) -> Row:
        return self.rows[0]

    @property
    def total_cents(self) -> int:
        """What is owed for it: nothing for a void invoice."""
        return 0 if self.head.status == "void" else sum(row.amount_cents for row in self.rows)


@dataclass
class Total:
    """Sums over some invoices of one currency, in cents; void ones are counted apart and not summed."""

    invoices: int = 0
    lines: int = 0
    cents: int = 0
    open_cents: int = 0
    void: int = 0

    def add(self, invoice: InvoiceRows) -> None:
        self.invoices += 1
        self.lines += len(invoice.rows)
        self.cents += invoice.total_cents
        self.open_cents += invoice.total_cents if invoice.head.status == "open" else 0
        self.void += invoice.head.status == "void"


def rows(s: Session, report: Report) -> list[Row]:
    """All of the report's rows, by invoice and position."""
    with cursor(s) as found:
        found.execute(_ROWS, report.parameters())
        return [Row._make(row) for row in found.fetchall()]


def summarise(invoices: Iterable[InvoiceRows]) -> dict[str, Total]:
    """Totals by currency, which are never added to one another."""
    found: dict[str, Total] = {}
    for invoice in invoices:
        found.setdefault(invoice.head.currency, Total()).add(invoice)
    return dict(sorted(found.items()))


def by_customer(invoices: Iterable[InvoiceRows]) -> list[tuple[str, str, Total]]:
    """Customer's name, currency and total; who was billed most comes first, within each currency."""
    found: dict[tuple[str, int], tuple[str, Total]] = {}
    for invoice in invoices:
        head = invoice.head
        found.setdefault((head.currency, head.customer_id), (head.customer, Total()))[1].add(invoice)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -item[1][1].cents, item[0][1]))
    return [(name, currency, total) for (currency, _), (name, total) in ordered]
