"""What the partner does when nothing breaks: each function makes its effect, or says why not. No awaiting in here,
so that of two calls with one idempotency key the second always finds the first's charge.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accepted.partner.journal import Entry
from accepted.partner.ledger import Ledger
from accepted.partner.signatures import check


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: `about` is what the call's ledger entry gets to know beside the status."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


class Charge(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    reference: str = Field(min_length=1, max_length=500)
    account: str = Field(min_length=1)
    amount_cents: int = Field(gt=0)
    currency: str = Field(pattern="^[A-Za-z]{3}$")


class Email(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    reference: str = Field(min_length=1, max_length=500)
    to: str = Field(min_length=3)
    subject: str
    body: str


def charge(ledger: Ledger, call: int, raw: bytes, idempotency_key: str | None) -> Answer:
    """One charge per idempotency key; without a key, one per call."""
    try:
        wanted = Charge.model_validate_json(raw)
    except ValidationError as err:
        return refusal(422, err)
    made = ledger.charge_of.get(idempotency_key) if idempotency_key else None
    if made is None:
        made = ledger.effect(
            "charge", wanted.reference, call, id=f"ch_{call:08d}", **wanted.model_dump(exclude={"reference"})
        )
        return Answer(200, _charge(made))
    if _charge(made) | wanted.model_dump() != _charge(made):
        return Answer(
            422, {"error": "idempotency_key_reused", "message": "this Idempotency-Key came with another body"}
        )
    return Answer(200, _charge(made), {"Idempotent-Replayed": "true"}, {"replayed": True})


def email(ledger: Ledger, call: int, raw: bytes) -> Answer:
    """A mail per call: like many real providers this one leaves de-duplication to whoever asks first."""
    try:
        wanted = Email.model_validate_json(raw)
    except ValidationError as err:
        return refusal(422, err)
    sent = ledger.effect("email", wanted.reference, call, id=f"em_{call:08d}", to=wanted.to, subject=wanted.subject)
    return Answer(202, {"id": sent["id"]})


def hook(ledger: Ledger, call: int, subscriber: str, headers: Mapping[str, str], raw: bytes) -> Answer:
    """A webhook at its subscriber: acted on once per webhook-id, 204 for repeats, 401 where the signature is bad."""
    webhook_id = headers.get("webhook-id")
    if not webhook_id:
        return Answer(400, {"error": "no_webhook_id", "message": "the webhook-id header is missing"})
    signature = check(ledger.secrets.get(subscriber), headers, raw, time.time())
    about = {"signature": signature}
    if ledger.delivery(subscriber, webhook_id, call, signature):
        ledger.effect("webhook", webhook_id, call, subscriber=subscriber, signature=signature)
    if signature == "bad":
        return Answer(401, {"error": "bad_signature", "message": "no signature of this webhook holds"}, about=about)
    return Answer(204, about=about)


def lookup(ledger: Ledger, kind: str, reference: str | None) -> Answer:
    """What was done under our reference: {"data": [charge or mail, …]}, oldest first."""
    if not reference:
        return Answer(400, {"error": "no_reference", "message": "ask with ?reference="})
    shape = _charge if kind == "charge" else _email
    return Answer(200, {"data": [shape(one) for one in ledger.of_reference(kind, reference)]})


def reference_in(raw: bytes) -> str | None:
    """The reference in a body that may be anything at all: faults and the ledger want it before validation does."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    reference = body.get("reference") if isinstance(body, dict) else None
    return reference if isinstance(reference, str) and reference else None


def refusal(status: int, err: ValidationError) -> Answer:
    where = [{"at": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in err.errors(include_url=False)]
    return Answer(status, {"error": "invalid", "problems": where})


def _charge(made: Entry) -> Entry:
    return {
        "id": made["id"],
        "reference": made["key"],
        "account": made["account"],
        "amount_cents": made["amount_cents"],
        "currency": made["currency"],
        "created": made["at"],
    }


def _email(sent: Entry) -> Entry:
    return {
        "id": sent["id"],
        "reference": sent["key"],
        "to": sent["to"],
        "subject": sent["subject"],
        "created": sent["at"],
    }
