"""What is asked for in exercise 4: e-mails, each of an invoice of its own, and what the partner saw of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accepted.grade import evidence
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Broken

Call = dict[str, Any]


@dataclass(frozen=True)
class Mail:
    """An e-mail that was asked for, and what the partner was told to do with it."""

    invoice: int
    told: str
    answer: Answer

    @property
    def job(self) -> str:
        return self.answer.job or ""

    def calls(self, stage: Stage) -> list[Call]:
        """The attempts to send it, in their order; that the provider was asked about it first does not count."""
        return of_invoice(stage.ledger(kind="email")["calls"], self.invoice)

    def seen(self, stage: Stage) -> list[Moment]:
        events = evidence.job_events(stage.stack.addresses.database, [self.job])
        return [*timeline(self.calls(stage)), *events]


def of_invoice(calls: Sequence[Call], invoice: int) -> list[Call]:
    return [one for one in calls if one["op"] == "email" and f":email:{invoice}:" in f":{one['key']}:"]


def rule(invoice: int, calls: str, **do: object) -> dict[str, Any]:
    """For the attempts to send that invoice."""
    return {"match": {"op": "email", "key": f"*:email:{invoice}:*"}, "calls": calls, "do": do}


def invoices(stage: Stage, number: int, tenant: str = TENANT) -> list[int]:
    """So many open invoices, no two of the same customer."""
    find = ("SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM invoices WHERE tenant_id = %s"
            " AND status = 'open' GROUP BY customer_id ORDER BY 1 LIMIT %s) AS found")  # fmt: skip
    return list(map(int, stage.value(find, tenant, number)))


def ask(stage: Stage, invoice: int, told: str) -> Mail:
    answer = stage.asked("POST", f"/v1/invoices/{invoice}/email", {}, seconds=30)
    accepted(answer)
    return Mail(invoice, told, answer)


def accepted(answer: Answer) -> None:
    """Raises Broken where it was not."""
    if answer.status != 202 or not answer.job:
        raise Broken(
            stimulus=answer.request, rule="What can be done is accepted with 202.", evidence=[answer.moment()],
            difference=f"expected 202, found {answer}: {answer.text[:150]}", costs="Nothing can be asked for.",
            look="exercise 1",
        )  # fmt: skip


def timeline(calls: Sequence[Call], mark: str = "", since: int = 1) -> list[Moment]:
    """Attempts with the waits between them; `mark`s from the attempt after `since` on."""
    found: list[Moment] = []
    for number, call in enumerate(calls, 1):
        worker = str(call.get("worker") or "?").rpartition(":")[2]
        waited = ""
        if number > 1:
            before = calls[number - 2]
            waited = f", {call['at'] - before.get('ended', before['at']):.3f} s after the last answer"
        how = str(call["status"]) if call.get("status") else f"no answer ({call.get('broke') or 'still open'})"
        what = f"worker {worker}  {call['op']} {call['key']} → {how}, attempt {number}{waited}"
        found.append(Moment(call["at"], what, mark if number > since else ""))
    return found
