"""Renderers of a report: every line of a tenant's issued invoices in a period, as CSV (streamed) or PDF."""

from .report import Report, TooLarge, count_lines

__all__ = ["Report", "TooLarge", "count_lines"]
