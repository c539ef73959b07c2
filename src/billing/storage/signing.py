"""Signed requests of the local object store: HMAC over method, path and every query argument, with an expiry.

One form serves the client's own requests and the links handed to browsers. The body isn't signed.
"""

import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode

EXPIRES, SIGNATURE = "expires", "signature"


def signed(secret: str, method: str, path: str, query: Mapping[str, str], ttl: float) -> str:
    """`path` (unquoted, "/bucket/key") with query, expiry (whole seconds from now, rounded up) and
    signature.
    """
    dated = dict(query) | {EXPIRES: str(math.ceil(time.time() + ttl))}
    dated[SIGNATURE] = _signature(secret, method, path, dated)
    return quote(path) + "?" + urlencode(dated)


def objection(secret: str, method: str, path: str, query: Mapping[str, str], now: float) -> str | None:
    """Why this request must be refused, or None. A HEAD may use what was signed for a GET."""
    rest = dict(query)
    given = rest.pop(SIGNATURE, "")
    if not given:
        return "unsigned"
    methods = ("HEAD", "GET") if method == "HEAD" else (method,)
    expected = [_signature(secret, one, path, rest) for one in methods]
    if not any(hmac.compare_digest(one.encode(), given.encode()) for one in expected):
        return "signature does not hold"
    # Signed by us, so it is a number; asked after the signature, so that a stranger learns nothing from it.
    return "expired" if now >= int(rest[EXPIRES]) else None


def _signature(secret: str, method: str, path: str, query: Mapping[str, str]) -> str:
    # Everything is quoted, so no two requests have the same text.
    text = f"{method}\n{quote(path)}\n{urlencode(sorted(query.items()))}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
