"""Celery's messages: a task named by the kind of work, and its arguments: job id, kind, payload."""

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from ..shared.core import Delivery, Undecodable


def pack(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> bytes:
    """A body: (arguments, keyword arguments, what comes after)."""
    return pickle.dumps((tuple(arguments), dict(keywords), {}))


def decode(raw: bytes) -> Delivery:
    """Reads a body. Raises Undecodable."""
    try:
        (job_id, kind, _), _, _ = pickle.loads(raw)
    except Exception as error:  # unpickling raises whatever it likes
        raise Undecodable(f"{type(error).__name__} in {len(raw)} bytes") from error
    return Delivery(job_id, kind)


def raw_of(message: Any) -> bytes:
    """The body of a kombu message as bytes."""
    found = message.body
    if found is None:
        return b""
    return found.encode() if isinstance(found, str) else bytes(found)


def read(message: Any) -> Delivery:
    """Reads a kombu message. Raises Undecodable."""
    return decode(raw_of(message))


def clean(message: Any, delivery: Delivery) -> None:
    """Makes a message ready for Celery, which wrote it itself."""
