"""What is asked for in exercise 5, what is known of it from outside, and how a broken rule is told."""

import base64
import binascii
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from accepted.grade import evidence
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Broken, Unknown
from billing.seed import PERIOD

OPS = 120.0  # s for one command
WHO = "grader"
OVER = ("succeeded", "failed")
ACCOUNTS = ("works", "hopeless", "poison", "probe")  # one each: none waits for another
_BASE64, _HEX = re.compile(r"[A-Za-z0-9+/_-]{12,}"), re.compile(r"[0-9A-Fa-f]{12,}")


@dataclass(frozen=True)
class Asked:
    """A job. `trace`: the trace id that was sent along."""

    answer: Answer
    op: str  # of the partner's calls
    trace: str

    @property
    def job(self) -> str:
        return self.answer.job or ""

    @property
    def key(self) -> str:
        return self.answer.natural_key

    def calls(self, stage: Stage) -> list[dict[str, Any]]:
        """The partner's, in their order."""
        return [one for one in stage.ledger(op=self.op)["calls"] if self.key in (one["key"], one["idempotency_key"])]

    def seen(self, stage: Stage) -> list[Moment]:
        calls = evidence.calls({"calls": self.calls(stage), "effects": []})
        return [*calls, *evidence.job_events(stage.stack.addresses.database, [self.job])]


def payout(stage: Stage, name: str) -> Asked:
    account = account_of(stage, name, "id")
    return _ask(stage, "/v1/payouts", stage.payout(f"{name}-{stage.seed}", int(account)), name, "charge")


def account_of(stage: Stage, name: str, column: str) -> Any:
    find = (
        f"SELECT {column} FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR' ORDER BY id OFFSET %s LIMIT 1"
    )
    found = stage.value(find, TENANT, ACCOUNTS.index(name))
    if found is None:
        raise Unknown(f"the tenant has no payout account for {name}")
    return found


def email(stage: Stage, invoice: int) -> Asked:
    return _ask(stage, f"/v1/invoices/{invoice}/email", {}, None, "email")


def report(stage: Stage) -> Asked:
    body = {"format": "csv", "from": f"{PERIOD[0]}", "to": f"{PERIOD[0] + timedelta(days=90)}"}
    return _ask(stage, "/v1/reports", body, None, "")


def invoices(stage: Stage, number: int) -> list[int]:
    """So many open invoices, no two of the same customer."""
    find = ("SELECT array_agg(id ORDER BY id) FROM (SELECT min(id) AS id FROM invoices WHERE tenant_id = %s"
            " AND status = 'open' GROUP BY customer_id ORDER BY 1 LIMIT %s) AS found")  # fmt: skip
    return list(map(int, stage.value(find, TENANT, number)))


def _ask(stage: Stage, path: str, body: Any, key: str | None, op: str) -> Asked:
    trace = f"{stage.rng.getrandbits(127) + 1:032x}"
    sent = {"traceparent": f"00-{trace}-{stage.rng.getrandbits(63) + 1:016x}-01"}
    key = key and f"{key}-{stage.seed}"
    answer = stage.asked("POST", path, body, key=key, seconds=30, headers=sent)
    if answer.status != 202 or not answer.job:
        raise Broken(
            stimulus=answer.request, rule="What can be done is accepted with 202.", evidence=[answer.moment()],
            difference=f"expected 202, found {answer}: {answer.text[:150]}", costs="Nothing can be asked for.",
            look="exercise 1",
        )  # fmt: skip
    return Asked(answer, op, trace)


def letter_of(stage: Stage, job: str) -> dict[str, Any] | None:
    """The newest dead letter of a job."""
    find = "SELECT to_jsonb(d) FROM dead_letters d WHERE job_id = %s ORDER BY id DESC LIMIT 1"
    found: dict[str, Any] | None = stage.value(find, job)
    return found


def letters(stage: Stage, where: str = "true") -> list[dict[str, Any]]:
    """As rows of the table, in the order in which they were parked."""
    found = stage.value(f"SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY id), '[]') FROM dead_letters d WHERE {where}")
    return list(found)


def jobs_of(stage: Stage, kind: str) -> list[str]:
    return list(stage.value("SELECT coalesce(array_agg(id::text), '{}') FROM jobs WHERE kind = %s", kind))


def texts(value: Any) -> Iterator[str]:
    """All that a letter's value says, however deep, and what is in it as base64 or in hexadecimal."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from texts(name)
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif value is not None:
        yield str(value)
        yield from _packed(str(value))


def _packed(text: str) -> Iterator[str]:
    """Postgres and MIME break base64 into lines. What stands before it may look like it, hence the four beginnings."""
    for found in {*_BASE64.findall(text), *_BASE64.findall(re.sub(r"\s|\\n", "", text))}:
        for start in range(4):
            piece = found[start:].translate(str.maketrans("-_", "+/"))
            piece = piece[: len(piece) - len(piece) % 4] if len(piece) % 4 == 1 else piece
            yield base64.b64decode(piece + "=" * (-len(piece) % 4)).decode(errors="replace")
    for found in _HEX.findall(text):
        for start in range(2):
            piece = found[start:]
            yield binascii.unhexlify(piece[: len(piece) - len(piece) % 2]).decode(errors="replace")


def audit(stage: Stage, action: str) -> list[dict[str, Any]]:
    find = "SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY id), '[]') FROM audit a WHERE action = %s"
    return list(stage.value(find, action))


def ops(stage: Stage, *arguments: str) -> dict[str, Any]:
    """What a command of the operators' prints. One that can't do it is a finding, not a failure of the grader."""
    command = [sys.executable, "-m", "flask", "--app", "app.shared.web", "ops", *arguments, "--json"]
    done = subprocess.run(
        command, env=stage.stack.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=OPS, check=False
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"exit": done.returncode, "said": done.stderr.strip()[-300:]}


def figures(answer: Answer, name: str) -> dict[str, float] | str:
    """That gauge by queue, out of what /metrics answered; what is wrong with the answer, where it is none."""
    if answer.status != 200:
        return f"{answer}"
    try:
        families = list(text_string_to_metric_families(answer.text))
    except (ValueError, LookupError, TypeError):  # what the library raises depends on where it stumbles
        return f"no text for Prometheus: {answer.text[:80]!r}"
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels.get("queue", ""): sample.value for sample in samples}


def told(letter: dict[str, Any] | None) -> str:
    """A dead letter in a line."""
    if letter is None:
        return "no dead letter"
    names = ("tenant_id", "natural_key", "attempts", "error_class", "trace_id", "reason")
    return f"dead letter {letter['id']}: " + ", ".join(f"{name}={letter.get(name)}" for name in names)


def broken(stage: Stage, stimulus: str, rule: str, difference: str, seen: Sequence[Moment], costs: str = "") -> Broken:
    costs = costs or "A job that is gone is a customer who waits, and nobody who knows of it."
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=seen, costs=costs,
                  look="shared/claims.py and shared/dead_letters.py; make hint-5",
                  logs=["worker-io", "scheduler"])  # fmt: skip
