"""One request of each kind, told so that as much as possible of a job's life crosses a line."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import psycopg

from accepted.stack.errors import Problem
from billing.seed import PERIOD

TENANT = "acme"
SUBSCRIBERS = 1  # of the tenant: more would repeat the same crossings


@dataclass(frozen=True)
class Request:
    """What is asked, and the faults that the partner plays for it. `key`: the natural key, where the client knows it.

    `idempotency_key` is the client's own, the same at every try.
    """

    kind: str
    path: str
    body: Mapping[str, Any]
    key: str | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    idempotency_key: str = field(default_factory=lambda: secrets.token_hex(8))
    method: str = "POST"
    group: str | None = None  # what must not overtake one another


class Objects:
    """Fresh invoices, accounts and references: no case touches what another has touched."""

    def __init__(self, database: str, seed: int) -> None:
        with psycopg.connect(database) as c:
            c.execute(
                "UPDATE subscribers SET active = false WHERE tenant_id = %s AND id NOT IN"
                " (SELECT id FROM subscribers WHERE tenant_id = %s AND active ORDER BY id LIMIT %s)",
                (TENANT, TENANT, SUBSCRIBERS),
            )
            find = "SELECT id FROM invoices WHERE tenant_id = %s AND status <> 'draft' ORDER BY id"
            found = [row[0] for row in c.execute(find, (TENANT,))]
            find = "SELECT id FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR' ORDER BY id"
            self.accounts = [row[0] for row in c.execute(find, (TENANT,))]
        Random(seed).shuffle(found)
        self._invoices: Iterator[int] = iter(found)
        self._numbers = count(1)

    def invoice(self) -> int:
        """One that no other case has."""
        try:
            return next(self._invoices)
        except StopIteration:
            raise Problem("no invoice is left", "every case takes one", "Sweep fewer cases: --only PART") from None

    def reference(self) -> str:
        return f"sweep-{next(self._numbers)}"


def payout(objects: Objects, account: int | None = None, stumble: bool = True) -> Request:
    """Money; the partner stumbles once, so that a retry comes due as well."""
    reference = objects.reference()
    key = f"{TENANT}:payout:{reference}:1"
    account = account or objects.accounts[0]
    body = {"account_id": account, "amount_cents": 12_500, "currency": "EUR", "reference": reference}
    rule = {"match": {"op": "charge", "key": key}, "calls": [1], "do": {"status": 503}}
    rules = (rule,) if stumble else ()
    return Request("payout.send", "/v1/payouts", body, key, rules, group=f"account {account}")


def email(objects: Objects) -> Request:
    """A mail, from a provider that knows no repeats, and that is slow: the lease is renewed meanwhile."""
    rule = {"match": {"op": "email"}, "do": {"delay": 0.5}}
    return Request("email.send", f"/v1/invoices/{objects.invoice()}/email", {}, rules=(rule,))


def webhooks(objects: Objects) -> Request:
    """An event to a subscriber: a fan-out and its delivery."""
    return Request("webhook.fanout", f"/v1/invoices/{objects.invoice()}/webhooks", {})


def report(objects: Objects) -> Request:
    """A month as CSV."""
    first, last = PERIOD[0], PERIOD[0].replace(month=1, day=31)
    return Request("report.export", "/v1/reports", {"format": "csv", "from": f"{first}", "to": f"{last}"})


STORIES: Mapping[str, Callable[[Objects], Request]] = {
    "payout.send": payout,
    "email.send": email,
    "webhook.fanout": webhooks,
    "report.export": report,
}
