"""Fresh rows for handlers. Messages carry ids only, so what is loaded here is what is true now, however old the
message is and however often it comes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing import queries
from billing.queries import Customer, Invoice

from ..core import Claim


class Missing(LookupError):
    """What the job is about is not there (any more); another attempt would find the same."""


def row(s: Session, statement: str, **values: Any) -> Mapping[str, Any]:
    """The one row of `statement`. Raises Missing."""
    found = s.execute(text(statement), values).mappings().one_or_none()
    if found is None:
        raise Missing("the row that the job was made for does not exist")
    return dict(found)


def invoice(s: Session, claim: Claim) -> Invoice:
    found = queries.invoice(s, claim.job.tenant_id, int(claim.job.args["invoice_id"]))
    if found is None:
        raise Missing(f"{claim.job.tenant_id} has no invoice {claim.job.args['invoice_id']}")
    return found


def customer(s: Session, of: Invoice) -> Customer:
    found = queries.customer(s, of.tenant_id, of.customer_id)
    if found is None:
        raise Missing(f"{of.tenant_id} has no customer {of.customer_id}")
    return found


def superseded(claim: Claim, found: Invoice) -> dict[str, int] | None:
    """The result of a job whose invoice has a newer version: news that is old is not told."""
    return {"superseded_by": found.version} if found.version > int(claim.job.args["version"]) else None
