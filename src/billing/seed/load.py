"""Streams the made-up rows into an empty, migrated database, in one transaction and flat memory."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from . import rows
from .rows import PERIOD, TENANTS, Plan

Progress = Callable[[int, int], None]
# scale: lines of acme's issued invoices, tenants, subscribers of each
SCALES: Mapping[str, tuple[int, int, int]] = {
    "tiny": (200, 2, 5),
    "small": (5_000, 2, 20),
    "medium": (100_000, 5, 100),
    "million": (1_000_000, 10, 500),
}
_TABLES = ("customers", "invoices", "subscribers", "payout_accounts")


class AlreadySeeded(Exception):
    """The database holds tenants already; nothing was written."""


class NotMigrated(Exception):
    """The database has no product tables; nothing was written."""


@dataclass(frozen=True)
class TenantSummary:
    """What one tenant got; ids are inclusive ranges without gaps. `lines` = lines of issued invoices (no drafts),
    which is what a report over the whole period holds. `subscribers` = the active ones' ids, ascending."""

    token: str
    customers: range
    invoices: range
    lines: int
    subscribers: range
    accounts: range


@dataclass(frozen=True)
class Summary:
    """`flaky` and `broken` are two of acme's active subscribers, named for faults that a test or a demo scripts at
    the partner. `lines` counts every row of invoice_lines."""

    seed: int
    tenants: dict[str, TenantSummary]
    flaky: int
    broken: int
    lines: int
    period_from: date
    period_to: date
    seconds: float

    @property
    def tokens(self) -> dict[str, str]:
        """API token by tenant."""
        return {tenant: found.token for tenant, found in self.tenants.items()}


def plans(scale: str = "small", lines: int | None = None) -> list[Plan]:
    """How much each tenant gets. `lines` sets acme's (10 at least); tenants and subscribers then follow the largest
    scale that is not above it. Each further tenant gets a twentieth of acme's lines, and 50 at least.

    Raises ValueError for an unknown scale or too few lines.
    """
    if scale not in SCALES:
        raise ValueError(f"There is no scale {scale!r}; choose one of {', '.join(SCALES)}, or give lines.")
    if lines is not None and lines < 10:
        raise ValueError(f"{lines} lines are too few to be useful; give 10 or more.")
    if lines is not None:
        scale = max((name for name in SCALES if SCALES[name][0] <= lines), key=lambda n: SCALES[n][0], default="tiny")
    of_scale, tenants, subscribers = SCALES[scale]
    acme = of_scale if lines is None else lines
    return [
        Plan(tenant, wanted, customers=min(max(wanted // 50, 8), 20_000), subscribers=subscribers, accounts=5)
        for tenant, wanted in zip(TENANTS, [acme] + [max(acme // 20, 50)] * (tenants - 1), strict=False)
    ]


def seed(
    database_url: str,
    scale: str = "small",
    *,
    lines: int | None = None,
    seed: int = 7,
    partner_url: str = "http://127.0.0.1:9",
    progress: Progress | None = None,
) -> Summary:
    """Fills a migrated, empty database; the same arguments give identical rows. `progress(done, total)` is called
    about every thousand invoices with counts of lines.

    All or nothing: AlreadySeeded or NotMigrated (both before the first row), ValueError (see `plans`), psycopg.Error.
    """
    wanted = plans(scale, lines)
    started = time.monotonic()
    with psycopg.connect(database_url, connect_timeout=10, options="-c synchronous_commit=on") as connection:
        with connection.cursor() as cursor:
            _claim_empty(cursor)
            found = _load(cursor, wanted, seed, partner_url.rstrip("/"), progress or (lambda done, total: None))
            for table in _TABLES:
                cursor.execute(
                    sql.SQL("SELECT setval(pg_get_serial_sequence({0}, 'id'), max(id)) FROM {1}").format(
                        sql.Literal(table), sql.Identifier(table)
                    )
                )
        connection.commit()
        # Without statistics the first queries after a big load take the wrong plan.
        connection.autocommit = True
        connection.execute("ANALYZE tenants, customers, invoices, invoice_lines, subscribers, payout_accounts")
        row = connection.execute("SELECT count(*) FROM invoice_lines").fetchone()
    first = found["acme"].subscribers[0]
    return Summary(seed, found, first + 1, first + 2, row[0] if row else 0, *PERIOD, time.monotonic() - started)


def _claim_empty(cursor: psycopg.Cursor[tuple[str, ...]]) -> None:
    try:
        # Two who seed at once: the second waits here, then sees the first one's tenants.
        cursor.execute("LOCK TABLE tenants IN SHARE ROW EXCLUSIVE MODE")
    except psycopg.errors.UndefinedTable as error:
        raise NotMigrated(
            "The database has no tables yet, so there is nothing to fill. Run `python -m app migrate` first."
        ) from error
    cursor.execute("SELECT id FROM tenants ORDER BY id")
    if tenants := [str(row[0]) for row in cursor.fetchall()]:
        raise AlreadySeeded(
            f"The database already holds {len(tenants)} tenants ({', '.join(tenants[:3])}, …); seeding again would "
            "double them, so nothing was written. Use an empty database: "
            "`dropdb --force NAME && createdb NAME`, migrate, then seed."
        )


def _load(
    cursor: psycopg.Cursor[tuple[str, ...]],
    wanted: list[Plan],
    seed: int,
    partner_url: str,
    progress: Progress,
) -> dict[str, TenantSummary]:
    total, done = sum(plan.lines for plan in wanted), 0
    customer = invoice = subscriber = account = 1
    found: dict[str, TenantSummary] = {}
    for plan in wanted:
        _copy(cursor, "tenants (id, name, token_hash)", [rows.tenant_row(plan, seed)])
        _copy(
            cursor,
            "customers (id, tenant_id, name, email, phone, address, tax_id)",
            rows.customer_rows(plan, seed, customer),
        )
        _copy(
            cursor,
            "subscribers (id, tenant_id, url, secret, active)",
            rows.subscriber_rows(plan, seed, subscriber, partner_url),
        )
        _copy(
            cursor,
            "payout_accounts (id, tenant_id, holder_name, iban, currency)",
            rows.account_rows(plan, seed, account),
        )
        first_invoice = invoice
        for batch in rows.invoice_batches(plan, seed, invoice, customer):
            _copy(
                cursor,
                "invoices (id, tenant_id, customer_id, number, version, status, currency, issued_on, due_on, "
                "total_cents)",
                [batch.invoices],
            )
            _copy(
                cursor,
                "invoice_lines (invoice_id, position, description, quantity, unit_cents, tax_percent, amount_cents)",
                [batch.lines],
            )
            invoice += batch.invoice_count
            done += batch.billed_count
            progress(done, total)
        found[plan.tenant_id] = TenantSummary(
            rows.token(plan.tenant_id, seed),
            range(customer, customer + plan.customers),
            range(first_invoice, invoice),
            plan.lines,
            range(subscriber, subscriber + plan.subscribers),
            range(account, account + plan.accounts),
        )
        customer += plan.customers
        subscriber += plan.subscribers + 1
        account += plan.accounts
    return found


def _copy(cursor: psycopg.Cursor[tuple[str, ...]], target: str, texts: Iterable[str]) -> None:
    """`target` is one of the constants above, never input."""
    with cursor.copy(f"COPY {target} FROM STDIN".encode()) as copy:
        for text in texts:
            copy.write(text)
