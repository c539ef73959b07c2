"""Who asks: a tenant's API token, or the session cookie that a browser got for one. Used by web and stream alike.

A token is compared by its SHA-256, the only form of it that is kept. The cookie carries that same hash, signed, so
that taking a token away ends the sessions that came from it.
"""

import hashlib
from time import monotonic

from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import text

from billing.db import unit
from billing.settings import settings

COOKIE = "accepted_session"
SESSION_SECONDS = 12 * 3600
# One look-up per token and process in this time. The price: a token that was taken away works that much longer.
CACHE_SECONDS = 5.0
CACHE_TOKENS = 10_000
LONGEST_TOKEN = 512

_TENANT = text("SELECT id FROM tenants WHERE token_hash = :hash")
_known: dict[str, tuple[str, float]] = {}


def tenant_of(authorization: str | None, cookie: str | None) -> str | None:
    """The tenant's id, or None. `authorization` is the header's value, `cookie` that of the cookie named COOKIE.

    A header that is there decides alone: a wrong token is not saved by a good cookie. Raises DatabaseDown.
    """
    if authorization is not None:
        token = bearer(authorization)
        return None if token is None else _tenant_by_hash(hash_of(token))
    if cookie:
        digest = _hash_in(cookie)
        return None if digest is None else _tenant_by_hash(digest)
    return None


def bearer(authorization: str) -> str | None:
    """The token of an `Authorization: Bearer TOKEN` header, or None where it is of another form."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        return None
    return token


def hash_of(token: str) -> str:
    """SHA-256 in hexadecimal, as `tenants.token_hash` holds it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def session_for(token: str) -> tuple[str, str] | None:
    """(cookie value, tenant id) for a good token, else None. Raises DatabaseDown."""
    digest = hash_of(token)
    tenant = _tenant_by_hash(digest)
    return None if tenant is None else (_signer().dumps(digest), tenant)


def forget() -> None:
    """Empties the process's cache of tokens."""
    _known.clear()


def _tenant_by_hash(digest: str) -> str | None:
    now = monotonic()
    known = _known.get(digest)
    if known is not None and known[1] > now:
        return known[0]
    with unit() as s:
        tenant: str | None = s.execute(_TENANT, {"hash": digest}).scalar()
    if tenant is None:
        _known.pop(digest, None)
        return None
    if len(_known) >= CACHE_TOKENS:
        _known.clear()
    _known[digest] = (tenant, now + CACHE_SECONDS)
    return tenant


def _hash_in(cookie: str) -> str | None:
    try:
        digest = _signer().loads(cookie, max_age=SESSION_SECONDS)
    except BadData:
        return None
    return digest if isinstance(digest, str) else None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret(), salt="session", signer_kwargs={"digest_method": hashlib.sha256})
