"""Columns that many tables have."""

from sqlalchemy import Column, DateTime, func


def when(name: str, **options: object) -> Column[object]:
    return Column(name, DateTime(timezone=True), **options)  # type: ignore[arg-type]


def now(name: str) -> Column[object]:
    return when(name, nullable=False, server_default=func.clock_timestamp())
