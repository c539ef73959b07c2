"""Whose a call is, graders tell by the job's natural key: a tree that asks its partners under another has exercise 3
before it, and is told so instead of something untrue."""

from accepted.grade import evidence
from accepted.grade.answer import Answer
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken


def asked_by_natural_key(stage: Stage, payout: Answer) -> str:
    """The key of a payout's charges, no others of which may be in the ledger. Raises Broken."""
    natural = payout.natural_key
    ledger = stage.ledger(kind="charge")
    for call in ledger["calls"]:
        if natural not in (call["key"], call["idempotency_key"]):
            raise Broken(
                stimulus="one payout, nothing going wrong",
                rule="Partners are asked under the job's natural key: exercise 3 comes before this one.",
                difference=f"expected a call for {natural}, found {call['key']}",
                evidence=evidence.calls(ledger),
                costs="Neither the partner nor anybody who reads its ledger can tell a second try from a second order.",
                look="make exercise-3; what shared/effects.py hands to `act`",
                logs=["worker-io"],
            )
    return natural
