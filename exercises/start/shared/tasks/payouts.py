"""payout.send: money to one account, in the order in which it was asked for, once each."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing import queries
from billing.db import unit

from .. import caps, claims, effects, partners
from ..core import Claim, NotYet, Receipt
from . import rows

_PREDECESSOR = text("""
SELECT 1 FROM jobs WHERE aggregate = :aggregate AND seq < :seq AND state IN ('queued', 'running', 'retrying') LIMIT 1
""")
_PAYOUT = "SELECT account_id, amount_cents, currency FROM payouts WHERE id = :id AND tenant_id = :tenant"
_PAID = text("UPDATE payouts SET provider_id = :provider WHERE id = :id")


def send(claim: Claim) -> dict[str, Any]:
    """Charges under the natural key, which the provider recognises. A predecessor that failed for good is over: it
    waits for people among the dead letters, and holds up nobody."""
    job = claim.job
    with unit() as s:
        wait_for_predecessor(s, claim)
        payout = rows.row(s, _PAYOUT, id=job.args["payout_id"], tenant=job.tenant_id)
        account = queries.payout_account(s, job.tenant_id, payout["account_id"])
    if account is None:
        raise rows.Missing(f"{job.tenant_id} has no payout account {payout['account_id']}")
    iban = account.iban

    def pay(key: str) -> Receipt:
        return partners.charge(
            key,
            account=iban,
            amount_cents=payout["amount_cents"],
            currency=payout["currency"],
            traceparent=job.traceparent,
        )

    with caps.slot("charges"):
        receipt = effects.once(job.natural_key, pay, claim=claim)
    with unit() as s:
        claims.hold(s, claim)
        s.execute(_PAID, {"id": job.args["payout_id"], "provider": receipt.reference})
    return {"payout_id": str(job.args["payout_id"]), "provider_id": receipt.reference}


def wait_for_predecessor(s: Session, claim: Claim) -> None:
    """Raises NotYet while an earlier payout to the same account is unfinished."""
    if s.execute(_PREDECESSOR, {"aggregate": claim.job.aggregate, "seq": claim.job.seq}).first():
        raise NotYet("waits for its predecessor", delay=0.5)
