"""What is asked for in exercise 3, and how the partner's ledger tells whose an effect is.

Not by its reference: a tree that makes one up for each call would hide what it did twice.
"""

from dataclasses import dataclass
from typing import Any

from accepted.grade import evidence, messages
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Broken, Unknown

ACCOUNTS = ("alone", "rollback", "copies", "killed-1", "killed-2")  # one each: none waits for another


@dataclass
class Asked:
    """A job, with its message where that was copied. `target`: the IBAN or address that only its effect goes to."""

    answer: Answer
    kind: str
    target: str
    seq: int  # of the ledger, before it was asked for
    message: messages.Message | None = None

    @property
    def job(self) -> str:
        return self.answer.job or ""

    @property
    def key(self) -> str:
        return self.answer.natural_key

    def effects(self, stage: Stage) -> list[dict[str, Any]]:
        """Those that went to its target."""
        found = stage.ledger(kind=self.kind, after=self.seq)["effects"]
        return [effect for effect in found if target_of(effect) == self.target]

    def seen(self, stage: Stage) -> list[Moment]:
        """Its calls and effects, and what the tree wrote of its job."""
        ledger = stage.ledger(kind=self.kind, after=self.seq)
        mine = {effect["call"] for effect in self.effects(stage)}
        others = {effect["call"] for effect in ledger["effects"]} - mine
        keys = {self.key} | {effect["key"] for effect in self.effects(stage)}
        named = f"{TENANT}:"  # a call that is not by a natural key is whose it may be: it is shown
        calls = [one for one in ledger["calls"] if one["seq"] not in others]
        calls = [one for one in calls if one["key"] in keys or not str(one["key"]).startswith(named)]
        told = evidence.calls({"calls": calls, "effects": ledger["effects"]}, target_of)
        return [*told, *evidence.job_events(stage.stack.addresses.database, [self.job])]


def target_of(effect: dict[str, Any]) -> str:
    return str(effect.get("account") or effect.get("to"))


def payout(stage: Stage, name: str, raw: messages.Messages | None = None) -> Asked:
    """To an account of its own; what is asked for alone has one in common. With `raw` its message is copied; no worker
    may run."""
    statement = "SELECT {} FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR' ORDER BY id OFFSET %s LIMIT 1"
    offset = ACCOUNTS.index(name) if name in ACCOUNTS else 0
    account = stage.value(statement.format("id"), TENANT, offset)
    if account is None:
        raise Unknown(f"the tenant has no account number {offset + 1} to pay to")
    iban = stage.value(statement.format("iban"), TENANT, offset)
    body = stage.payout(f"{name}-{stage.seed}", account)
    return _ask(stage, "/v1/payouts", body, f"{name}-{stage.seed}", "charge", iban, raw)


def email(stage: Stage, number: int, raw: messages.Messages | None = None) -> Asked:
    """Of the invoice of that number, whose customer gets an address that nobody else has."""
    invoice, address = invoice_of(stage, number), f"customer-{number}-{stage.seed}@example.com"
    customer = "(SELECT customer_id FROM invoices WHERE id = %s)"
    stage.value(f"UPDATE customers SET email = %s WHERE id = {customer} RETURNING 1", address, invoice)
    return _ask(stage, f"/v1/invoices/{invoice}/email", {}, None, "email", address, raw)


def invoice_of(stage: Stage, number: int) -> int:
    """No two have the same customer."""
    find = ("SELECT min(id) FROM invoices WHERE tenant_id = %s AND status = 'open' GROUP BY customer_id"
            " ORDER BY 1 OFFSET %s LIMIT 1")  # fmt: skip
    return int(stage.value(find, TENANT, number))


def _ask(
    stage: Stage, path: str, body: Any, key: str | None, kind: str, target: str, raw: messages.Messages | None
) -> Asked:
    before, seq = raw.lengths() if raw else {}, stage.seq()
    ask = stage.ask if raw else stage.asked  # a message is the one that came since `before`: of one request only
    answer = ask("POST", path, body, key=key, seconds=30)
    if answer.status != 202 or not answer.job:
        raise Broken(
            stimulus=answer.request, rule="A payout or an e-mail is accepted with 202.",
            difference=f"expected 202, found {answer}: {answer.text[:150]}", evidence=[answer.moment()],
            costs="Nothing can be asked for.", look="exercise 1",
        )  # fmt: skip
    message = messages.added(raw, before, 30) if raw else None
    return Asked(answer, kind, target, seq, message)
