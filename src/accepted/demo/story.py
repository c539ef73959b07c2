"""The acts of the demo. Each waits for conditions, never for time, and says what it saw."""

import json
import shlex
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from .client import TERMINAL, Answer, Api, Partner, until
from .place import Place, pid_of
from .screen import Screen


@dataclass
class Stage:
    """What the acts share."""

    screen: Screen
    api: Api
    partner: Partner
    place: Place
    period: tuple[str, str]
    marks: list[tuple[float, str]] = field(default_factory=list)  # what the story did, for the timeline

    def ops(self, *arguments: str) -> dict[str, Any]:
        """`flask ops …  --json`, as an operator would type it."""
        self.screen.say(self.screen.style("$ flask ops " + shlex.join(arguments), fg="cyan"))
        found: dict[str, Any] = json.loads(self.place.ops(*arguments, "--json"))
        return found

    def accepted(self, path: str, answer: Answer) -> None:
        said = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        self.screen.say(f"POST {path} → {said} in {answer.ms:.0f} ms   Location: {answer.location}")


def export(stage: Stage, impatient: bool) -> None:
    """A report: 202 at once, progress as it happens, the file through a signed URL."""
    body = {"format": "csv", "from": stage.period[0], "to": stage.period[1]}
    answer = stage.api.post("/v1/reports", body, "demo-export")
    stage.accepted("/v1/reports", answer)
    if impatient:
        again = stage.api.post("/v1/reports", body, "demo-export")
        if again.job_id != answer.job_id:
            raise RuntimeError("the same Idempotency-Key made a second job")
        stage.screen.say("the same request again, as an impatient client sends it → the same job")
    for event in stage.api.follow(answer.events):
        stage.screen.bar(event["percent"], event["message"] or event["state"])
    stage.screen.new_bar()
    job = stage.api.ended(answer.job_id)
    url = job["artifact"]["url"]
    content = stage.api.download(url)
    lines = content.count(b"\n")
    stage.screen.good(f"downloaded through its signed URL: {len(content):,} bytes, {lines:,} lines")


def mail(stage: Stage, invoice: int) -> None:
    """One mail, from a provider that would send every repeat."""
    answer = stage.api.post(f"/v1/invoices/{invoice}/email", {}, "demo-email")
    stage.accepted(f"/v1/invoices/{invoice}/email", answer)
    job = stage.api.ended(answer.job_id)
    stage.screen.good(f"e-mail {job['state']}: {job['message']}")


def fanout(stage: Stage, invoice: int, flaky: str | None, broken: str | None) -> None:
    """A webhook to every subscriber: one of them stumbles twice, one is down until somebody mends it."""
    rules = []
    if flaky:
        rules.append({"match": {"op": "hook", "subscriber": flaky}, "calls": "1-2", "do": {"status": 503}})
    if broken:
        rules.append({"match": {"op": "hook", "subscriber": broken}, "calls": "*", "do": {"status": 500}})
    stage.partner.play(*rules)
    path = f"/v1/invoices/{invoice}/webhooks"
    answer = stage.api.post(path, {}, "demo-fanout")
    stage.accepted(path, answer)
    stage.api.ended(answer.job_id)

    def children() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.api.job(answer.job_id)["children"]
        over = sum(found[state] for state in TERMINAL)
        stage.screen.bar(round(100 * over / found["total"]), f"{over} of {found['total']} subscribers answered for")
        return found if over == found["total"] else None

    found = until("the end of all deliveries", children)
    stage.screen.new_bar()
    delivered = found["succeeded"]
    if flaky:
        tries = len(stage.partner.ledger(subscriber=flaky)["calls"])
        stage.screen.good(f"subscriber {flaky} stumbled twice and was retried: delivered at attempt {tries}")
    if not broken:
        stage.screen.good(f"{delivered} of {found['total']} delivered")
        return
    stage.screen.bad(f"{delivered} of {found['total']} delivered; subscriber {broken} never answered: a dead letter")
    for letter in stage.ops("dead-letters")["dead_letters"]:
        stage.screen.say(
            f"{letter['tenant']}  {letter['natural_key']}  attempts {letter['attempts']}  "
            f"{letter['error_class']}  {letter['endpoint']}"
        )
    stage.partner.play()
    stage.screen.say(f"subscriber {broken} mends its endpoint; an operator requeues what waits for it")
    requeued = stage.ops("requeue", "--queue", "webhooks", "--by", "demo", "--yes")
    for job_id in requeued["requeued"]:
        stage.api.ended(job_id)
    stage.screen.good(f"requeued {requeued['count']}, delivered {requeued['count']}")


def payout(stage: Stage, account: int, kill: bool) -> Answer:
    """Money: the worker is killed after the partner's answer and before our commit."""
    if kill:
        stage.partner.play({"match": {"op": "charge"}, "calls": [1], "do": {"delay": stage.place.freezing}})
    body = {"account_id": account, "amount_cents": 125_00, "currency": "EUR", "reference": "demo-settlement-1"}
    answer = stage.api.post("/v1/payouts", body, "demo-payout")
    stage.accepted("/v1/payouts", answer)
    if kill:
        _kill_between_answer_and_commit(stage)
    job = stage.api.ended(answer.job_id)
    charges = stage.partner.ledger(kind="charge")
    calls = [call for call in charges["calls"] if call["op"] == "charge"]
    stage.screen.say(f"the partner was called {len(calls)} times, and the job is {job['state']}")
    show = stage.screen.good if len(charges["effects"]) == 1 else stage.screen.bad
    show(f"charges in the partner's ledger: {len(charges['effects'])}")
    return answer


def _kill_between_answer_and_commit(stage: Stage) -> None:
    """The partner is slow to answer. Meanwhile the worker is frozen, so that the answer reaches a process that
    can't go on, and is killed once the ledger says that the answer was given: exactly between answer and commit."""

    def called() -> dict[str, Any] | None:
        calls = stage.partner.ledger(kind="charge", op="charge")["calls"]
        return calls[0] if calls else None

    call = until("the worker's call to the partner", called)
    worker = str(call["worker"])
    stage.place.freeze(worker)

    def answered() -> dict[str, Any] | None:
        now = called()
        return now if now and now["status"] == 200 else None

    until("the partner's answer", answered)
    stage.place.kill(worker)
    pid = pid_of(worker)
    stage.marks.append((time.time(), f"worker {pid} killed: the partner has answered, we have not committed"))
    stage.screen.bad(f"worker {pid} killed with SIGKILL after the partner's answer, before our commit")
    stage.screen.say("its lease ends, the reaper queues the job again, another worker takes it")
