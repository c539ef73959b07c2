"""What is asked for while no worker runs, and the messages that lie on the broker then."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from accepted.grade import messages
from accepted.grade.answer import Answer
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Broken
from billing.seed import PERIOD, token

WORKERS = ("worker-io", "worker-cpu")
REPORT = {"format": "csv", "from": f"{PERIOD[0]}", "to": f"{PERIOD[0] + timedelta(days=6)}"}
LISTENERS = 8  # subscribers that hear of a change
OVER = ("succeeded", "failed", "cancelled")


@dataclass
class Asked:
    """A job, and its message as it lay on the broker; None where none came."""

    concern: str
    answer: Answer
    message: messages.Message | None = None
    parts: dict[str, bytes] = field(default_factory=dict)

    @property
    def job(self) -> str:
        return self.answer.job or ""

    def moment(self, mark: str = "") -> Moment:
        """How its message looked."""
        if self.message is None:
            return Moment(self.answer.at, f"{self.concern}: {self.answer.request} → {self.answer}; no message", mark)
        return shown(self.answer.at, f"{self.concern}: job {self.job[:8]}", self.message.queue, self.parts, mark)


@dataclass
class Seen:
    """What was asked for, by concern. `secrets` and `values` of it must not be in a message: what they are, by the
    text or value itself."""

    asked: dict[str, Asked] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    values: dict[str | int | float, str] = field(default_factory=dict)


def seen(stage: Stage) -> Seen:
    """One job of each concern, asked for with the workers stopped; they stay so."""
    raw = of(stage)
    departed(stage.stack.runner, WORKERS, raw, lambda: workers_stop(stage))
    listeners(stage, LISTENERS)
    found = Seen()
    amount = 7_300_000 + stage.rng.randrange(1000)
    for concern, request in _requests(stage, amount).items():
        before = raw.lengths()
        one = Asked(concern, stage.ask(**request, seconds=20))
        if one.answer.status != 202 or not one.job:
            raise refused(one.answer)
        done = stage.state(one.job) in OVER  # whoever works while the client waits sends no message
        one.message = messages.added(raw, before, 1 if done else 30)
        one.parts = raw.parts(one.message) if one.message else {}
        found.asked[concern] = one
    found.values = _values(stage, amount)
    signing = "SELECT secret FROM subscribers WHERE id = %s"
    found.secrets = {token(TENANT): "the tenant's token"}
    found.secrets |= {stage.value(signing, number): "a subscriber's signing secret" for number in _listening(stage)}
    return found


def workers_stop(stage: Stage) -> None:
    for name in WORKERS:
        stage.stack.runner.stop(name, grace=10)


def _requests(stage: Stage, amount: int) -> dict[str, dict[str, Any]]:
    account = stage.value("SELECT min(id) FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR'", TENANT)
    payout = {**stage.payout(f"waits-{stage.seed}", account), "amount_cents": amount}
    return {
        "payouts": {"method": "POST", "path": "/v1/payouts", "body": payout, "key": f"waits-{stage.seed}"},
        "emails": {"method": "POST", "path": f"/v1/invoices/{invoice(stage, 1)}/email", "body": {}},
        "webhooks": change(stage, 2),
        "reports": {"method": "POST", "path": "/v1/reports", "body": REPORT},
    }


def _values(stage: Stage, amount: int) -> dict[str | int | float, str]:
    """Of the rows that these jobs are about: what a worker can read for itself, and should."""
    found: dict[str | int | float, str] = {amount: "the payout's amount"}
    found |= {REPORT["from"]: "the report's period", REPORT["to"]: "the report's period"}
    for number in (1, 2):
        row = "FROM invoices WHERE id = %s"
        found[str(stage.value(f"SELECT number {row}", invoice(stage, number)))] = "an invoice's number"
        found[int(stage.value(f"SELECT total_cents {row}", invoice(stage, number)))] = "an invoice's total"
    for number in _listening(stage):
        found[str(stage.value("SELECT url FROM subscribers WHERE id = %s", number))] = "a subscriber's URL"
    return {value: what for value, what in found.items() if isinstance(value, str) or value > 99_999}


def change(stage: Stage, number: int) -> dict[str, Any]:
    """The request that changes an invoice, of which all subscribers hear."""
    return {"method": "PUT", "path": f"/v1/invoices/{invoice(stage, number)}", "body": {"status": "open"}}


def invoice(stage: Stage, number: int) -> int:
    """Whose total is no small number, so that it can't be taken for an id."""
    find = "SELECT id FROM invoices WHERE tenant_id = %s AND status = 'open' AND total_cents > 99999"
    return int(stage.value(f"{find} ORDER BY id OFFSET %s LIMIT 1", TENANT, number))


def listeners(stage: Stage, count: int) -> None:
    """So many of the tenant's subscribers are active."""
    first = "SELECT id FROM subscribers WHERE tenant_id = %s ORDER BY id LIMIT %s"
    stage.value(f"UPDATE subscribers SET active = id IN ({first}) WHERE tenant_id = %s RETURNING 1",
                TENANT, count, TENANT)  # fmt: skip


def _listening(stage: Stage) -> list[int]:
    find = "SELECT array_agg(id) FROM subscribers WHERE tenant_id = %s AND active"
    return list(stage.value(find, TENANT))


def of(stage: Stage) -> messages.Messages:
    return messages.of(stage.stack.addresses.broker, stage.backend)


def shown(at: float, what: str, queue: str, parts: dict[str, bytes], mark: str = "") -> Moment:
    body = parts.get("body", b"")
    text = body.decode() if body.isascii() and body.decode().isprintable() else repr(body)[2:-1]
    text = text if len(text) <= 160 else f"{text[:160]}… ({len(body)} bytes)"
    return Moment(at, f"{what}: message in {queue}, {text}", mark)


def refused(answer: Answer) -> Broken:
    return Broken(
        stimulus=answer.request, rule="Reports, webhooks, e-mails and payouts are accepted with 202.",
        difference=f"expected 202, found {answer}: {answer.text[:150]}", evidence=[answer.moment()],
        costs="Nothing can be asked for.", look="exercise 1", logs=["web"],
    )  # fmt: skip
