"""A report as PDF: a summary by customer, then every line of every invoice.

Slow because it is real: each cell is measured and set, about 1,500 lines a second on one core, and nothing else
runs in the thread meanwhile. That makes it a worker's job and never a request's, and it is bounded.

`read` needs the database and is quick; `render` is the slow part and needs none, so that no transaction is held
open (and cut off by Postgres as idle) while it works.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Flowable, Frame, PageTemplate, Paragraph
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import Tenant
from .layout import invoice_table, summary_table, totals_table
from .pdfrows import InvoiceRows, rows, summarise
from .report import Report, TooLarge, count_lines
from .style import MARGIN, MUTED, PLAIN, RULE, drawable, fonts, style

LIMIT = 10_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Contents:
    """All that a PDF shows."""

    tenant: str
    report: Report
    invoices: list[InvoiceRows]


def read(s: Session, report: Report, limit: int = LIMIT) -> Contents:
    """What the PDF will show. Raises TooLarge, before it reads a row, where that's more than `limit` lines."""
    count = count_lines(s, report)
    if count > limit:
        raise TooLarge(count, limit)
    name = s.execute(select(Tenant.name).where(Tenant.id == report.tenant_id)).scalar_one_or_none()
    found = groupby(rows(s, report), key=lambda row: row.invoice_id)
    return Contents(name or report.tenant_id, report, [InvoiceRows(list(of)) for _, of in found])


def render(contents: Contents, progress: Progress | None = None) -> bytes:
    """The finished file; the same contents give the same bytes. `progress(done, total)` counts blocks laid out."""
    fonts()
    story = list(_story(contents))
    file = BytesIO()
    title = f"{contents.tenant} · {_period(contents.report)}"
    _Document(file, title, len(story), progress).build(story, canvasmaker=_NumberedCanvas)
    return file.getvalue()


def _story(contents: Contents) -> Iterator[Flowable]:
    invoices = contents.invoices
    lines = sum(len(invoice.rows) for invoice in invoices)
    yield Paragraph(escape(drawable(contents.tenant)), style(9, color=MUTED))
    yield Paragraph("Invoice report", style(20, bold=True, after=2))
    yield Paragraph(
        f"Issued {_period(contents.report)} · {_count(len(invoices), 'invoice')} · {_count(lines, 'line')}",
        style(9, color=MUTED, after=12),
    )
    if not invoices:
        yield Paragraph("No invoice was issued in this period.", style(10))
        return
    yield totals_table(summarise(invoices))
    yield Paragraph("By customer", style(12, bold=True, after=5))
    yield summary_table(invoices)
    yield CondPageBreak(A4[1] / 3)
    yield Paragraph("By invoice", style(12, bold=True, after=5))
    for invoice in invoices:
        yield invoice_table(invoice)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _period(report: Report) -> str:
    return f"{_day(report.period_from)} to {_day(report.period_to)}"


class _Document(BaseDocTemplate):
    def __init__(self, file: BytesIO, title: str, blocks: int, progress: Progress | None) -> None:
        super().__init__(file, pagesize=A4, title=f"Invoice report, {title}", author="", invariant=1, pageCompression=1)
        self._running_head = drawable(title)
        self._blocks, self._done, self._progress = blocks, 0, progress
        frame = Frame(MARGIN, MARGIN + 6, A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN - 18, 0, 0, 0, 0)
        self.addPageTemplates([PageTemplate("page", [frame], onPage=self._head)])

    def _head(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(PLAIN, 7.5)
        canvas.setFillColor(MUTED)
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        top = A4[1] - MARGIN
        if canvas.getPageNumber() > 1:
            canvas.drawString(MARGIN, top, self._running_head)
            canvas.line(MARGIN, top - 5, A4[0] - MARGIN, top - 5)
        canvas.restoreState()

    def afterFlowable(self, flowable: Flowable) -> None:
        self._done = min(self._done + 1, self._blocks)
        if self._progress and (self._done % 100 == 0 or self._done == self._blocks):
            self._progress(self._done, self._blocks)


class _NumberedCanvas(Canvas):
    """Holds the pages back until their number is known, for "page 2 of 9"."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._held: list[dict[str, object]] = []

    def showPage(self) -> None:
        self._held.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        for number, page in enumerate(self._held, 1):
            self.__dict__.update(page)
            self.setFont(PLAIN, 7.5)
            self.setFillColor(MUTED)
            self.drawRightString(A4[0] - MARGIN, MARGIN - 10, f"Page {number} of {len(self._held)}")
            super().showPage()
        super().save()
