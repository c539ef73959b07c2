"""Effects outside of this system: each is written down, and what is written down isn't done again."""

import json
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import text

from billing.db import unit

from .core import Claim, Receipt

_FIND = text("SELECT receipt FROM effects WHERE natural_key = :key")
_STORE = text("INSERT INTO effects (natural_key, job_id, receipt) VALUES (:key, :job, CAST(:receipt AS jsonb))")


def once(key: str, act: Callable[[str], Receipt], *, claim: Claim | None = None) -> Receipt:
    """Calls `act` unless the effect of `key` is on record, and returns the receipt either way.

    `act` gets an id for the call, to send along as the provider's idempotency key.
    """
    with unit() as s:
        stored = s.execute(_FIND, {"key": key}).scalar()
    if stored is not None:
        return Receipt(stored["reference"], stored["detail"])
    receipt = act(str(uuid4()))
    kept = {"reference": receipt.reference, "detail": dict(receipt.detail)}
    with unit() as s:
        s.execute(_STORE, {"key": key, "job": None if claim is None else claim.job.id, "receipt": json.dumps(kept)})
    return receipt
