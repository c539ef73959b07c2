"""What each arrival sends, worked out before the run. Pure: the objects that it may touch come in."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from accepted.load.schedule import Arrival
from accepted.stack.errors import Problem
from billing.seed import PERIOD

POISON = "poison"
OF_AN_INVOICE = {  # kind: the natural key of the work
    "email.send": "{tenant}:email:{invoice}:{version}",
    "webhook.fanout": "{tenant}:fanout:{invoice}:{version}:invoice.updated",
}
PERIODS = {"month": (PERIOD[0], date(2025, 1, 31)), "year": PERIOD}  # of the made-up year


@dataclass(frozen=True)
class Objects:
    """What one tenant has to work on: invoices as (id, version), accounts that are paid in EUR."""

    token: str
    invoices: Sequence[tuple[int, int]]
    accounts: Sequence[int]


@dataclass(frozen=True)
class Planned:
    """One request, `at` seconds from zero. `key`: the natural key of the work, where the client can know it.

    `expect`: `done`, or `parked` where its right end is among the dead letters.
    """

    n: int
    at: float
    phase: str
    kind: str
    tenant: str
    expect: str
    key: str | None
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def invoices_needed(arrivals: Sequence[Arrival]) -> Counter[str]:
    """By tenant. Each e-mail and each webhook takes an invoice of its own: asked twice, it would be the same work."""
    needed: Counter[str] = Counter()
    for each in arrivals:
        needed[each.work.tenant] += each.work.kind in OF_AN_INVOICE
    return needed


def plan(arrivals: Sequence[Arrival], objects: Mapping[str, Objects], run: str) -> list[Planned]:
    """The requests, in the arrivals' order. `run` makes references and idempotency keys this run's own."""
    invoices = {tenant: iter(of.invoices) for tenant, of in objects.items()}
    return [_one(each, objects[each.work.tenant], invoices[each.work.tenant], run) for each in arrivals]


def _one(arrival: Arrival, of: Objects, invoices: Iterator[tuple[int, int]], run: str) -> Planned:
    tenant, kind = arrival.work.tenant, arrival.work.kind
    body: Any = {}
    key: str | None = None
    match kind:
        case "payout.send":
            reference = f"{run}-{POISON if arrival.work.poison else 'pay'}-{arrival.n}"
            account = of.accounts[arrival.n % len(of.accounts)]
            path, key = "/v1/payouts", f"{tenant}:payout:{reference}:1"
            body = {"account_id": account, "amount_cents": 12_500, "currency": "EUR", "reference": reference}
        case "email.send":
            invoice, version = _next(invoices)
            key = OF_AN_INVOICE[kind].format(tenant=tenant, invoice=invoice, version=version)
            path = f"/v1/invoices/{invoice}/email"
        case "webhook.fanout":
            invoice, version = _next(invoices)
            key = OF_AN_INVOICE[kind].format(tenant=tenant, invoice=invoice, version=version)
            path = f"/v1/invoices/{invoice}/webhooks"
        case "report.export":
            path = "/v1/reports"
            first, last = PERIODS[arrival.work.period]
            body = {"format": arrival.work.format, "from": f"{first}", "to": f"{last}"}
        case _:
            path = "/v1/noops"
    headers = {"Authorization": f"Bearer {of.token}", "Idempotency-Key": f'"{run}-{arrival.n}"',
               "traceparent": _traceparent(run, arrival.n)}  # fmt: skip
    expect = "parked" if arrival.work.poison else "done"
    return Planned(arrival.n, arrival.at, arrival.phase, kind, tenant, expect, key, "POST", path, headers, body)


def _next(invoices: Iterator[tuple[int, int]]) -> tuple[int, int]:
    try:
        return next(invoices)
    except StopIteration:
        raise Problem(
            "no invoice is left", "every e-mail and webhook takes one", "Give the scenario more `lines:`."
        ) from None


def _traceparent(run: str, n: int) -> str:
    digest = hashlib.sha256(f"{run} {n}".encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"
