"""Rows of a made-up billing year, one at a time and the same for the same seed: nothing here touches a database.

Rows are lines in COPY's text format. They are drawn in order from one random source per tenant, so a tenant's
rows don't depend on which other tenants there are.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, count
from random import Random

from .people import iban, person

PERIOD = (date(2025, 1, 1), date(2025, 12, 31))
TENANTS = {
    "acme": ("Acme Works", "EUR"),
    "globex": ("Globex Ltd", "USD"),
    "initech": ("Initech Software", "USD"),
    "zolty": ("Żółty Kubek sp. z o.o.", "PLN"),
    "hooli": ("Hooli Cloud", "GBP"),
    "vandelay": ("Vandelay Imports", "USD"),
    "bluth": ("Bluth Homes", "EUR"),
    "tyrell": ("Tyrell Optics", "CHF"),
    "soylent": ("Soylent Kitchens", "EUR"),
    "wonka": ("Wonka Süßwaren", "EUR"),
}
# Text as people type it, the kind that a spreadsheet would run as a formula included; cents for one unit.
CATALOGUE = (
    ("Team plan, monthly seat", 1_900),
    ("Consulting, hours", 14_500),
    ("Storage, GB-months", 12),
    ("API calls, thousands", 85),
    ("Onboarding workshop “Erste Schritte”", 120_000),
    ("+1 extra seat", 1_900),
    ("@home support package", 4_990),
    ("=Annual= maintenance", 49_900),
    ("-10% loyalty discount", -2_500),
    ('Cable, 2 m, "gold", black; grey', 799),
    ("Café crème for the meeting room", 350),
    ("Data processing agreement, review", 38_000),
)
TAX_BASIS_POINTS = (2_000, 1_900, 2_300, 700, 0)
DUE_DAYS = (14, 30, 30, 60)
LINES_AN_INVOICE = (1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 11)


@dataclass(frozen=True)
class Plan:
    """How much of everything one tenant gets. `lines` are those of invoices that were issued; drafts come on top."""

    tenant_id: str
    lines: int
    customers: int
    subscribers: int
    accounts: int


@dataclass(frozen=True)
class Batch:
    """Some invoices with all their lines, as COPY text."""

    invoices: str
    lines: str
    invoice_count: int
    line_count: int
    billed_count: int


def token(tenant_id: str, seed: int = 7) -> str:
    """The tenant's API token. Guessable by whoever knows the seed: for practice data only."""
    return f"tok_{tenant_id}_{hashlib.sha256(f'{seed}:token:{tenant_id}'.encode()).hexdigest()[:32]}"


def tenant_row(plan: Plan, seed: int) -> str:
    digest = hashlib.sha256(token(plan.tenant_id, seed).encode()).hexdigest()
    return f"{plan.tenant_id}\t{TENANTS[plan.tenant_id][0]}\t{digest}\n"


def customer_rows(plan: Plan, seed: int, first_id: int) -> Iterator[str]:
    rng = Random(f"{seed}:customers:{plan.tenant_id}")
    for number in range(first_id, first_id + plan.customers):
        yield f"{number}\t{plan.tenant_id}\t" + "\t".join(person(rng, number, "c")) + "\n"


def subscriber_rows(plan: Plan, seed: int, first_id: int, partner_url: str) -> Iterator[str]:
    """One more than the plan says, the last of them inactive."""
    rng = Random(f"{seed}:subscribers:{plan.tenant_id}")
    for number in range(first_id, first_id + plan.subscribers + 1):
        secret = "whsec_" + base64.b64encode(rng.randbytes(24)).decode()
        active = "t" if number < first_id + plan.subscribers else "f"
        yield f"{number}\t{plan.tenant_id}\t{partner_url}/hooks/{number}\t{secret}\t{active}\n"


def account_rows(plan: Plan, seed: int, first_id: int) -> Iterator[str]:
    rng = Random(f"{seed}:accounts:{plan.tenant_id}")
    currency = TENANTS[plan.tenant_id][1]
    for number in range(first_id, first_id + plan.accounts):
        yield f"{number}\t{plan.tenant_id}\t{person(rng, number, 'p').name}\t{iban(rng)}\t{currency}\n"


def amount(thousandths: int, unit_cents: int, tax_basis_points: int) -> int:
    """Quantity × unit plus tax in whole cents, halves away from zero."""
    product = thousandths * unit_cents * (10_000 + tax_basis_points)
    cents = (abs(product) + 5_000_000) // 10_000_000
    return cents if product >= 0 else -cents


def invoice_batches(plan: Plan, seed: int, first_id: int, first_customer: int, size: int = 1_000) -> Iterator[Batch]:
    """The tenant's invoices over the twelve months of PERIOD, oldest first, `size` at a time."""
    rng = Random(f"{seed}:invoices:{plan.tenant_id}")
    draw = rng.random
    home = TENANTS[plan.tenant_id][1]
    days = (PERIOD[1] - PERIOD[0]).days + 1
    billed = 0
    ids = count(first_id)
    while billed < plan.lines:
        invoices: list[str] = []
        lines: list[str] = []
        before = billed
        while len(invoices) < size and billed < plan.lines:
            number = next(ids)
            share = billed / plan.lines
            status = _status(draw(), share)
            rows = LINES_AN_INVOICE[int(draw() * len(LINES_AN_INVOICE))]
            if status != "draft":
                rows = min(rows, plan.lines - billed)
                billed += rows
            total = 0
            for position in range(1, rows + 1):
                what, unit = CATALOGUE[int(draw() * len(CATALOGUE))]
                thousandths = 1_000 * (1 + int(draw() * 20)) if draw() < 0.8 else 250 * (1 + int(draw() * 99))
                tax = TAX_BASIS_POINTS[int(draw() * len(TAX_BASIS_POINTS))]
                cents = amount(thousandths, unit, tax)
                total += cents
                lines.append(
                    f"{number}\t{position}\t{what}\t{thousandths // 1000}.{thousandths % 1000:03d}\t{unit}\t"
                    f"{tax // 100}.{tax % 100:02d}\t{cents}\n"
                )
            issued = PERIOD[0] + timedelta(days=int(share * days))
            due = issued + timedelta(days=DUE_DAYS[int(draw() * len(DUE_DAYS))])
            customer = int(draw() ** 2 * plan.customers)  # a few customers buy most
            currency = "CHF" if customer % 16 == 15 else home
            invoices.append(
                f"{number}\t{plan.tenant_id}\t{first_customer + customer}\t2025-{number - first_id + 1:06d}\t1\t"
                f"{status}\t{currency}\t{issued}\t{due}\t{total}\n"
            )
        yield Batch("".join(invoices), "".join(lines), len(invoices), len(lines), billed - before)


def _status(chance: float, share: float) -> str:
    """Most old invoices are paid, most new ones are open; `share` is how far the year has gone."""
    draft, void, paid = accumulate((0.02, 0.02, 0.90 - 0.70 * share))
    return "draft" if chance < draft else "void" if chance < void else "paid" if chance < paid else "open"
