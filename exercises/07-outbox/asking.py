"""What is asked for in exercise 7, what became of it, and what the partner saw."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accepted.grade import evidence
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Unknown

OVER = ("succeeded", "failed", "cancelled")
LEDGER = {"payout.send": "charge", "email.send": "email"}  # kind: what the partner calls it


@dataclass
class Asked:
    """A request and its answer. `job` is empty where none was promised."""

    kind: str
    key: str  # natural
    answer: Answer
    job: str = ""

    @property
    def accepted(self) -> bool:
        return self.answer.status == 202 and bool(self.job)


@dataclass
class Scene:
    """What was asked for, and what the grader did when. `due`: by when, by the monotonic clock, all of it has to be
    over, whichever check asks for it; None: each check has patience of its own."""

    asked: list[Asked] = field(default_factory=list)
    marks: list[Moment] = field(default_factory=list)
    due: float | None = None

    def mark(self, what: str) -> None:
        self.marks.append(Moment(time.time(), what))

    def add(self, one: Asked) -> Asked:
        self.asked.append(one)
        self.marks.append(one.answer.moment())
        return one


def payout(stage: Stage, name: str, account: int = 0, seconds: float = 0.0) -> Asked:
    """To the tenant's account of that place; its reference is made of the name. `seconds`: asked once, and so long,
    because the answer is judged."""
    reference = f"{name}-{stage.seed}"
    body = stage.payout(reference, account_of(stage, account))
    answer = _ask(stage, seconds, "POST", "/v1/payouts", body, key=reference)
    return Asked("payout.send", f"{TENANT}:payout:{reference}:1", answer, answer.job or "")


def email(stage: Stage, number: int, seconds: float = 0.0) -> Asked:
    """Of the open invoice of that place. `seconds`: as with a payout."""
    invoice = _nth(stage, "SELECT id FROM invoices WHERE tenant_id = %s AND status = 'open'", number)
    version = stage.value("SELECT version FROM invoices WHERE id = %s", invoice)
    answer = _ask(stage, seconds, "POST", f"/v1/invoices/{invoice}/email", {})
    return Asked("email.send", f"{TENANT}:email:{invoice}:{version}", answer, answer.job or "")


def change(stage: Stage, number: int) -> Asked:
    """Of an invoice, of which its subscribers are told."""
    invoice = _nth(stage, "SELECT id FROM invoices WHERE tenant_id = %s AND status = 'paid'", number)
    answer = stage.asked("PUT", f"/v1/invoices/{invoice}", {"status": "paid"})
    found = answer.body.get("job") if isinstance(answer.body, dict) else None
    key = str(found.get("natural_key", "")) if isinstance(found, dict) else ""
    return Asked("webhook.fanout", key, answer, answer.job or "")


def _ask(stage: Stage, seconds: float, *request: Any, **more: Any) -> Answer:
    return stage.ask(*request, **more, seconds=seconds) if seconds else stage.asked(*request, **more)


def account_of(stage: Stage, place: int) -> int:
    return _nth(stage, "SELECT id FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR'", place)


def _nth(stage: Stage, statement: str, place: int) -> int:
    found = stage.value(f"{statement} ORDER BY id OFFSET %s LIMIT 1", TENANT, place)
    if found is None:
        raise Unknown(f"the made-up data has too few rows: {statement}")
    return int(found)


def booted(stage: Stage) -> float:
    """Seconds that it took. Two relays, the lines of which can be looked at and slowed down."""
    return stage.boot(scale={"relay": 2}, proxied=("relay",))


def patience(stage: Stage) -> float:
    """Seconds for what takes a second or two, on this machine at this time: its own start says how slow it is."""
    return min(60.0, max(25.0, 8 * stage.played(booted)))


def drained(stage: Stage, asked: Iterable[Asked], due: float | None = None) -> bool:
    """Waits for one after the other to be over. False where patience ends with one that isn't, or it is `due`."""

    def left() -> float:
        return patience(stage) if due is None else due - time.monotonic()

    return all(stage.until(_over(stage, one), left()) for one in asked if one.job)


def _over(stage: Stage, one: Asked) -> Callable[[], bool]:
    return lambda: stage.state(one.job) in OVER


def effects(stage: Stage, seq: int, asked: Iterable[Asked]) -> Mapping[str, int]:
    """How many charges and mails each of these had at the partner, since that entry of its ledger."""
    rows = [effect for kind in LEDGER.values() for effect in stage.ledger(kind=kind, after=seq)["effects"]]
    return {one.key: sum(is_of(one.key, row) for row in rows) for one in asked if one.kind in LEDGER}


def is_of(key: str, row: Mapping[str, Any]) -> bool:
    """Whether a call or an effect is the job's of that natural key, by its reference or its Idempotency-Key."""
    return key in (row["key"], row["idempotency_key"])


def seen(stage: Stage, asked: Iterable[Asked], seq: int = 0) -> list[Moment]:
    """What the partner saw of these, and what the tree wrote of their jobs."""
    asked = list(asked)
    keys = {one.key for one in asked}
    ledger: dict[str, list[dict[str, Any]]] = stage.ledger(after=seq)
    of_these = [one for one in ledger["calls"] if keys & {one["key"], one["idempotency_key"]}]
    calls = [one for one in of_these if one["op"] in LEDGER.values()]
    told = evidence.calls({"calls": calls, "effects": [one for one in ledger["effects"] if "call" in one]})
    return [*told, *evidence.job_events(stage.stack.addresses.database, [one.job for one in asked if one.job])]
