"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): one answer for all the tries of one request.

The stored answer is written in the very transaction that writes what it answers for, so both are there or neither.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.plain import within

from .problems import Problem

LONGEST = 255
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # a structured-field string (RFC 8941)
_BARE = re.compile(r"[!#-\[\]-~]+")

# Two statements on purpose, though they go in one round trip: the second one's snapshot is taken after the lock was
# got, so it sees what the lock's last holder committed. In one statement it would not.
_LOCK = text("SELECT pg_try_advisory_xact_lock(:hash)")
_FIND = text(
    "SELECT fingerprint, status, headers, body FROM idempotency_keys"
    " WHERE tenant_id = :tenant AND route = :route AND key = :key"
)
_KEEP = text(
    "INSERT INTO idempotency_keys (tenant_id, route, key, fingerprint, status, headers, body)"
    " VALUES (:tenant, :route, :key, :fingerprint, :status, CAST(:headers AS jsonb), CAST(:body AS jsonb))"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a key counts: another tenant's key, or another route's, is another key."""

    tenant: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: `headers` are those that belong to it (Location, Retry-After)."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def parse(header: str | None) -> str | None:
    """The key, without quotes, or None where there is no header. Raises Problem 400 for a malformed one."""
    if header is None:
        return None
    value = header.strip()
    quoted = _QUOTED.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value if _BARE.fullmatch(value) else ""
    if not key or len(key) > LONGEST:
        raise Problem(
            400,
            f'Idempotency-Key is a string of 1 to {LONGEST} visible ASCII characters, best in quotes: "8e03978e-40d5".',
            "idempotency-key-malformed",
        )
    return key


def missing() -> Problem:
    """For a route that insists on a key."""
    return Problem(
        400,
        "This request moves money, so it needs an Idempotency-Key header: a fresh random string for each payout, "
        "the same one for every retry of it.",
        "idempotency-key-missing",
    )


def fingerprint(path: str, canonical_body: str) -> bytes:
    """Tells whether two requests with one key ask for the same thing."""
    return hashlib.sha256(f"{path}\n{canonical_body}".encode()).digest()


def begin(s: Session, scope: Scope, mark: bytes) -> Answer | None:
    """Takes the scope's lock until the transaction ends; returns the answer that was stored for it, if any.

    Raises Problem 409 while another request with this key is in flight, 422 where the key belongs to another body.
    """
    seed = f"{scope.tenant}\n{scope.route}\n{scope.key}".encode()
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big", signed=True)
    names = {"tenant": scope.tenant, "route": scope.route, "key": scope.key}
    locked, stored = within(s).execute_all((_LOCK, {"hash": number}), (_FIND, names))
    if not locked.scalar():
        raise Problem(
            409,
            "A request with this Idempotency-Key is being worked on. Send the same request again in a second.",
            "idempotency-key-in-flight",
            headers={"Retry-After": "1"},
        )
    found = stored.first()
    if found is None:
        return None
    if bytes(found["fingerprint"]) != mark:
        raise Problem(
            422,
            "This Idempotency-Key was used before for another request. A new request needs a new key.",
            "idempotency-key-reused",
        )
    return Answer(found["status"], found["headers"], found["body"])


def keep(s: Session, scope: Scope, mark: bytes, answer: Answer) -> None:
    """Stores the answer, in the caller's transaction."""
    within(s).execute(
        _KEEP,
        {
            "tenant": scope.tenant,
            "route": scope.route,
            "key": scope.key,
            "fingerprint": mark,
            "status": answer.status,
            "headers": json.dumps(dict(answer.headers)),
            "body": json.dumps(dict(answer.body)),
        },
    )
