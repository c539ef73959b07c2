"""Standard Webhooks signatures as a subscriber checks them."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

Signature = Literal["ok", "bad", "unchecked"]
TOLERANCE = 300.0  # seconds, the specification's replay window


def secret_bytes(secret: str) -> bytes:
    """The key inside `whsec_<base64>`. Raises ValueError for any other shape."""
    if not secret.startswith("whsec_"):
        raise ValueError("a webhook secret is whsec_ followed by base64")
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as err:
        raise ValueError(f"a webhook secret is whsec_ followed by base64: {err}") from None


def check(secret: str | None, headers: Mapping[str, str], body: bytes, now: float) -> Signature:
    """Whether one of the `v1,<base64>` signatures holds for this id, timestamp and body, at `now` (epoch seconds)."""
    if secret is None:
        return "unchecked"
    webhook_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE:
        return "bad"
    digest = hmac.new(secret_bytes(secret), f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return "ok" if any(hmac.compare_digest(expected, one) for one in given) else "bad"
