"""The tables of a PDF report."""

from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.platypus import Paragraph, Table, TableStyle

from .pdfrows import InvoiceRows, Total, by_customer
from .style import ACCENT, BOLD, INK, MARGIN, MUTED, PLAIN, RULE, TINT, drawable, money, quantity, style

WIDTH = A4[0] - 2 * MARGIN
_LINES = [WIDTH * share for share in (0.46, 0.12, 0.15, 0.10, 0.17)]
_SUMMARY = [WIDTH * share for share in (0.38, 0.11, 0.11, 0.19, 0.21)]
# A row can't be broken over two pages, so a cell holds this many characters at most.
_LONGEST = 500

_BASE: list[Any] = [
    ("FONT", (0, 0), (-1, -1), PLAIN, 8),
    ("TEXTCOLOR", (0, 0), (-1, -1), INK),
    ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
]
_HEADED: list[Any] = [
    *_BASE,
    ("FONT", (0, 0), (-1, 0), BOLD, 7.5),
    ("TEXTCOLOR", (0, 0), (-1, 0), MUTED),
    ("LINEBELOW", (0, 0), (-1, 0), 0.8, ACCENT),
    ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
    ("LEFTPADDING", (0, 0), (0, -1), 0),
    ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
]
_INVOICE = TableStyle(
    [
        *_BASE,
        ("SPAN", (0, 0), (3, 0)),
        ("BACKGROUND", (0, 0), (-1, 0), TINT),
        ("FONT", (-1, 0), (-1, 0), BOLD, 8),
        ("FONT", (0, 1), (-1, 1), PLAIN, 6.5),
        ("TEXTCOLOR", (0, 1), (-1, 1), MUTED),
        ("BOTTOMPADDING", (0, 1), (-1, 1), 0),
        ("LINEBELOW", (0, 2), (-1, -2), 0.3, RULE),
    ]
)


def totals_table(totals: dict[str, Total]) -> Table:
    """One row a currency."""
    rows = [["Currency", "Invoices", "Void", "Still open", "Billed"]]
    rows += [
        [currency, f"{of.invoices:,}", f"{of.void:,}", _sum(of.open_cents), money(of.cents)]
        for currency, of in totals.items()
    ]
    bold = [("FONT", (-1, 1), (-1, -1), BOLD, 9), ("FONT", (0, 1), (0, -1), BOLD, 8)]
    return Table(
        rows,
        _SUMMARY,
        style=TableStyle([*_HEADED, *bold, ("VALIGN", (0, 1), (-1, -1), "MIDDLE")]),
        spaceAfter=18,
    )


def summary_table(invoices: list[InvoiceRows]) -> Table:
    """One row for each customer and currency; the heading is repeated on each page."""
    small = style(8)
    rows: list[list[object]] = [["Customer", "Invoices", "Lines", "Still open", "Billed"]]
    rows += [
        [
            Paragraph(_cell(name), small),
            f"{of.invoices:,}",
            f"{of.lines:,}",
            _sum(of.open_cents),
            f"{money(of.cents)} {currency}",
        ]
        for name, currency, of in by_customer(invoices)
    ]
    return Table(rows, _SUMMARY, style=TableStyle(_HEADED), repeatRows=1, spaceAfter=18)


def invoice_table(invoice: InvoiceRows) -> Table:
    """A bar with number, customer, dates and total, then the lines; broken over pages, the bar is repeated."""
    head, small = invoice.head, style(8)
    bar = (
        f"<b>{_cell(head.number)}</b>  {_cell(head.customer)}"
        f'  <font color="#66727f">issued {head.issued_on}, due {head.due_on}, {head.status}</font>'
    )
    rows: list[list[object]] = [
        [Paragraph(bar, small), "", "", "", f"{money(invoice.total_cents)} {head.currency}"],
        ["Description", "Quantity", "Unit", "Tax", "Amount"],
    ]
    rows += [
        [
            Paragraph(_cell(line.description), small),
            quantity(line.quantity),
            money(line.unit_cents),
            f"{quantity(line.tax_percent)} %",
            money(line.amount_cents),
        ]
        for line in invoice.rows
    ]
    return Table(rows, _LINES, style=_INVOICE, repeatRows=2, spaceAfter=9)


def _cell(text: str) -> str:
    shown = drawable(text)
    return escape(shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…")


def _sum(cents: int) -> str:
    return money(cents) if cents else "–"
