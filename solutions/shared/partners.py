"""Calls to third parties: payment provider, e-mail provider, subscribers.

Nothing is repeated here. A kept-alive connection that the other side closed while it was idle is seen before it is
used; what is left is the close that crosses our request on the wire, and from here that looks the same as a
partner who acted and died before answering. For an e-mail a second try would be a second mail; for the others it
would be harmless, but it would be a retry that no attempt counts and no back-off spaces. So every failure becomes
a PartnerError, and the job's own retry asks by reference or repeats under the same key.
"""

import base64
import email.utils
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from billing.settings import settings

from . import telemetry
from .claims import worker_name
from .core import Failure, PartnerError, Receipt

IDLE = 15.0  # seconds a connection is kept; servers usually wait longer, so it is seldom they who close
LARGEST_ANSWER = 64 * 1024
NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "InvalidURL", "UnsupportedProtocol")
_clients: dict[int, httpx.Client] = {}


def charge(key: str, *, account: str, amount_cents: int, currency: str, traceparent: str) -> Receipt:
    """One charge for `key`, however often it is called: the provider knows the Idempotency-Key."""
    body = {"reference": key, "account": account, "amount_cents": amount_cents, "currency": currency}
    url = f"{settings().partner_url.rstrip('/')}/v1/charges"
    answer = _call("POST", url, traceparent, json.dumps(body).encode(), {"Idempotency-Key": key})
    return Receipt(_id(answer, url), {"provider": "charges"})


def find_email(key: str, *, traceparent: str) -> Receipt | None:
    """The mail that went out under our reference, if one did."""
    url = f"{settings().email.rstrip('/')}/v1/emails"
    answer = _call("GET", url, traceparent, params={"reference": key})
    data = answer.get("data")
    if not isinstance(data, list):
        raise _unreadable(url)
    return Receipt(_id(data[0], url), {"provider": "emails", "found": True}) if data else None


def send_email(key: str, *, to: str, subject: str, body: str, traceparent: str) -> Receipt:
    """Sends a mail. The provider does not recognise repeats: ask `find_email` first.

    Where the line broke before the answer came, the provider may be at it still, and who asks now hears of no mail:
    the failure's `retry_after` is what is left of the time that the provider has.
    """
    mail = {"reference": key, "to": to, "subject": subject, "body": body}
    url, began = f"{settings().email.rstrip('/')}/v1/emails", time.monotonic()
    try:
        answer = _call("POST", url, traceparent, json.dumps(mail).encode())
    except PartnerError as error:
        left = settings().partner_timeout - (time.monotonic() - began)
        if left <= 0 or error.failure.status is not None or error.failure.error in NEVER_SENT:
            raise  # nothing is to be waited for: the back-off decides
        raise PartnerError(replace(error.failure, retry_after=left)) from error
    return Receipt(_id(answer, url), {"provider": "emails"})


def deliver(key: str, *, url: str, secret: str, body: bytes, traceparent: str) -> Receipt:
    """Posts an event to a subscriber, signed as Standard Webhooks ask; `key` is the webhook-id."""
    stamp = str(int(time.time()))
    headers = {
        "webhook-id": key,
        "webhook-timestamp": stamp,
        "webhook-signature": sign(secret, key, stamp, body),
    }
    _call("POST", url, traceparent, body, headers)
    return Receipt(key, {"endpoint": endpoint_of(url)})


def sign(secret: str, webhook_id: str, stamp: str, body: bytes) -> str:
    """`v1,` + base64 of HMAC-SHA256 over id, time and body with the key in `whsec_<base64>`."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        # Not in the text: the secret itself.
        raise PartnerError(
            Failure("BadSecret", "the subscriber's secret is not whsec_ + base64", transient=False)
        ) from error
    digest = hmac.new(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def endpoint_of(url: str) -> str:
    """Scheme, host and path: enough to find a bad endpoint, without credentials or a query that may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number of seconds or an HTTP-date; None for anything else."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def _call(
    method: str,
    url: str,
    traceparent: str,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    sent = {"traceparent": telemetry.child(traceparent), "X-Worker": worker_name(os.getpid()), **(headers or {})}
    if content is not None:
        sent["Content-Type"] = "application/json"
    endpoint = endpoint_of(url)
    end = time.monotonic() + settings().partner_timeout
    try:
        with _client().stream(method, url, content=content, headers=sent, params=params) as response:
            status, wait = response.status_code, response.headers.get("Retry-After")
            body = _read(response, end)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The exception's own text may quote the URL with its query, so only its class is told.
        raise PartnerError(
            Failure(
                type(error).__name__,
                f"{method} {endpoint} brought no answer",
                endpoint=endpoint,
                transient=not isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)),
            )
        ) from error
    if status >= 300:  # redirects are not followed: a signed body goes where its owner said, or nowhere
        raise PartnerError(
            Failure(
                f"HTTP{status}",
                f"{method} {endpoint} was answered with {status}",
                status,
                retry_after(wait, datetime.now(UTC)),
                endpoint,
            )
        )
    return _json(body)


def _read(response: httpx.Response, end: float) -> bytes:
    """The body, as far as it is short and quick: a partner that drips bytes does not hold a worker."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > LARGEST_ANSWER or time.monotonic() > end:
            break
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body) if body else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _id(answer: Any, url: str) -> str:
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, str):
        raise _unreadable(url)
    return found


def _unreadable(url: str) -> PartnerError:
    where = endpoint_of(url)
    return PartnerError(Failure("UnreadableAnswer", f"{where} said yes, but not what to", endpoint=where))


def _client() -> httpx.Client:
    """This process's client, opened on first use: a forked child never shares its parent's sockets."""
    pid = os.getpid()
    if pid not in _clients:
        _clients[pid] = httpx.Client(
            timeout=settings().partner_timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=IDLE),
            headers={"User-Agent": "accepted/1", "Accept": "application/json", "Accept-Encoding": "identity"},
            trust_env=False,  # a proxy for people is no proxy for money
        )
    return _clients[pid]


def close() -> None:
    """Closes this process's connections; the next call opens new ones."""
    client = _clients.pop(os.getpid(), None)
    if client is not None:
        client.close()
