"""How `ops` speaks: JSON for programs, tables for people, and a question before what can't be undone."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from billing.db import DatabaseDown

from .control import UnknownScope

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def by_option(command: F) -> F:
    return click.option(
        "--by",
        metavar="WHO",
        default=lambda: os.environ.get("USER") or "unknown",
        help="For the audit.  [default: $USER]",
    )(command)


def answer(as_json: bool, shape: Mapping[str, Any], people: Callable[[], str]) -> None:
    """Prints `shape` as JSON, or what `people` makes of it."""
    click.echo(json.dumps(shape) if as_json else people())


@contextmanager
def explained() -> Iterator[None]:
    """Turns outages and wrong names into one line and an exit code."""
    try:
        yield
    except DatabaseDown as error:
        raise click.ClickException(
            f"Postgres can't be reached ({error}), and it holds the truth about every job. "
            "Check DATABASE_URL and that the server is up, then try again."
        ) from error
    except UnknownScope as error:
        raise click.UsageError(str(error)) from error


def confirm(question: str, yes: bool) -> None:
    """Goes on with --yes, or with a yes on a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is here to answer: add --yes, or look first with --dry-run.")
    click.confirm(question, abort=True, err=True)


def coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def style(value: str, **how: Any) -> str:
    return click.style(value, **how) if coloured() else value


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Columns as wide as they need to be; numbers to the right. `empty` is what to say where there are no rows."""
    if not rows:
        return empty
    cells = [["–" if cell is None else str(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[n], int | float | None) for row in rows) for n in range(len(columns))]
    widths = [max(len(line[n]) for line in [list(columns), *cells]) for n in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        fitted = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True))
        return "  ".join(fitted).rstrip()

    return "\n".join([style(line(columns), bold=True), *map(line, cells)])


def seconds(value: float | None) -> str:
    """A duration that people read: 0.3 s, 12 s, 5 min, 3 h, 2 d."""
    if value is None:
        return "–"
    for most, unit, size in ((10, "s", 1.0), (120, "s", 1.0), (7200, "min", 60.0), (172800, "h", 3600.0)):
        if value < most:
            return f"{value / size:.{1 if most == 10 else 0}f} {unit}"
    return f"{value / 86400:.0f} d"
