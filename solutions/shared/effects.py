"""One effect for each natural key, whatever is delivered twice, retried or replayed."""

import json
from collections.abc import Callable

from psycopg.errors import LockNotAvailable
from sqlalchemy import text

from billing.db import transaction
from billing.plain import Plain
from billing.settings import settings

from .core import Claim, LostLease, NotYet, Receipt

# Between two statements of any other transaction a session may idle for little more than one call to a partner. An act
# may take several (ask, then send), each with its time to connect and its time to answer.
_PATIENCE = "set_config('idle_in_transaction_session_timeout', :patience, true)"
# The receipt need not be on the disk before the job's end is, which comes later in the log, and is waited for. Should
# Postgres crash in between, both are gone: the job comes back and acts with the same key, as if its worker had died.
_NO_WAIT = "set_config('synchronous_commit', 'off', true)"
_PATIENT = text(f"SELECT {_PATIENCE}")
_MINE = "ON CONFLICT DO NOTHING RETURNING natural_key"
_INTEND = text(f"INSERT INTO effects (natural_key) VALUES (:key) {_MINE}")
_INTEND_FOR = text(f"""
WITH claimed AS (SELECT id, {_PATIENCE}, {_NO_WAIT} FROM jobs WHERE id = :id AND fence = :fence AND state = 'running'),
    mine AS (INSERT INTO effects (natural_key, job_id) SELECT :key, id FROM claimed {_MINE})
SELECT EXISTS (SELECT FROM claimed) AS claimed, EXISTS (SELECT FROM mine) AS mine
""")
_RECEIPT = text("SELECT receipt FROM effects WHERE natural_key = :key")
_STORE = text("UPDATE effects SET receipt = CAST(:receipt AS jsonb) WHERE natural_key = :key")


def once(key: str, act: Callable[[str], Receipt], *, claim: Claim | None = None) -> Receipt:
    """Calls `act(key)` unless the effect of `key` is on record, and returns the receipt either way.

    The insert and the record of what came of it are one transaction around the act. Two workers with the same key
    meet at the unique index: the second waits there for the first's commit, and then skips. A worker that dies in
    between rolls back by dying; its successor acts again *with the same key*, and it is the partner who recognises
    it. No one can close that gap from one side only, which is why `act` is handed the key.

    Raises LostLease where `claim` is no longer the newest, NotYet where another worker is at the same effect for
    longer than a lock may be waited for, and whatever `act` raises: then nothing is on record.
    """
    with transaction() as s:
        try:
            mine = _intend(s, key, claim)
        except LockNotAvailable as error:
            raise NotYet("another worker is at the same effect", delay=1) from error
        if not mine:
            stored = s.execute(_RECEIPT, {"key": key}).scalar_one()
            return Receipt(stored.get("reference", ""), stored.get("detail", {}))
        receipt = act(key)
        kept = {"reference": receipt.reference, "detail": dict(receipt.detail)}
        s.finish(_STORE, {"key": key, "receipt": json.dumps(kept)})
    return receipt


def _intend(s: Plain, key: str, claim: Claim | None) -> bool:
    """Writes down what is about to be done; False where it is on record. Raises LostLease."""
    patience = {"patience": str(int(settings().partner_timeout * 4000) + 2000)}
    if claim is None:
        s.execute(_PATIENT, patience)
        return s.execute(_INTEND, {"key": key}).first() is not None
    # One round trip: CTEs that are read twice are worked out once, and the INSERT is of what the first one found.
    found = s.execute(_INTEND_FOR, {"key": key, "id": claim.job.id, "fence": claim.fence, **patience}).one()
    if not found["claimed"]:
        raise LostLease(f"job {claim.job.id}: taken over before its effect")
    return bool(found["mine"])
