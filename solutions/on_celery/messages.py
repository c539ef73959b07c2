"""Celery's messages, written and read by our own rules: ids in, and of what comes back nothing but ids is believed.

A message names a task and carries a list of arguments. Its headers can also say when to run, for how long, and what to
publish afterwards; whoever can write to the broker could have our workers wait for a year, or call others. So a
message is taken apart before Celery sees it, and goes on with headers of our own making.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from ..shared.core import Delivery, Envelope, Undecodable
from .topology import QUEUES

CONTENT_TYPE, CONTENT_ENCODING = "application/json", "utf-8"
_LONGEST = 4096  # bytes; ours have about 150


def new_id(envelope: Envelope) -> str:
    """An id for this very publication; a job may be published again while an earlier message of it is under way."""
    return f"{envelope.job_id}-{secrets.token_hex(4)}"


def headers(message_id: str, job_id: UUID, kind: str, traceparent: str) -> dict[str, Any]:
    """What Celery's protocol 2 asks for. `argsrepr` is what `celery inspect` and Flower show: ids."""
    return {
        "lang": "py",
        "task": kind,
        "id": message_id,
        "root_id": message_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "argsrepr": f"('{job_id}', '{kind}')",
        "kwargsrepr": "{}",
        "ignore_result": True,
        "traceparent": traceparent,
    }


def pack(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> bytes:
    """A body: [arguments, keyword arguments, what comes after]."""
    return json.dumps([list(arguments), dict(keywords), {}]).encode()


def body(envelope: Envelope) -> bytes:
    """Two ids, and nothing else in any of the three."""
    return pack([str(envelope.job_id), envelope.kind], {})


def decode(raw: bytes) -> Delivery:
    """Reads a body. Raises Undecodable."""
    if len(raw) > _LONGEST:
        raise Undecodable(f"{len(raw)} bytes are too many for a message of ours")
    try:
        (job_id, kind), keywords, after = json.loads(raw)
        delivery = Delivery(UUID(job_id), str(kind))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Undecodable(f"{type(error).__name__} in {len(raw)} bytes") from error
    if delivery.kind not in QUEUES:
        raise Undecodable("a kind of work that nobody does here")
    if keywords or (after and (not isinstance(after, dict) or any(after.values()))):
        raise Undecodable("it wants more than a message of ours does")
    return delivery


def raw_of(message: Any) -> bytes:
    """The body of a kombu message as bytes."""
    found = message.body
    if found is None:
        return b""
    return found.encode() if isinstance(found, str) else bytes(found)


def read(message: Any) -> Delivery:
    """Reads a kombu message: its type, its task and its body have to agree. Raises Undecodable."""
    if message.content_type != CONTENT_TYPE:
        raise Undecodable("its content type is not JSON")
    found = message.headers if isinstance(message.headers, Mapping) else {}
    if found.get("compression"):
        raise Undecodable("it is compressed")
    delivery = decode(raw_of(message))
    if found.get("task") != delivery.kind:
        raise Undecodable("its task is not the kind of work that it names")
    return delivery


def clean(message: Any, delivery: Delivery) -> None:
    """Leaves of the headers what is ours."""
    message_id, traceparent = message.headers.get("id"), message.headers.get("traceparent")
    message_id = message_id if isinstance(message_id, str) and len(message_id) < 100 else str(uuid4())
    traceparent = traceparent if isinstance(traceparent, str) and len(traceparent) < 100 else ""
    message.headers = headers(message_id, delivery.job_id, delivery.kind, traceparent)
    message.content_encoding = CONTENT_ENCODING
    message.properties.pop("reply_to", None)
