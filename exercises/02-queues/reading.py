"""What is in a message: read, never run. A pickle is looked at opcode by opcode; nothing here loads one."""

import base64
import binascii
import json
import pickletools
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from billing.seed import PII

DEEPEST = 4  # wrappings within wrappings
LONGEST = 1024  # bytes of a body; ids and names have about 150
Leaf = str | int | float


def wrong_form(parts: Mapping[str, bytes]) -> str:
    """Where a pickle is, or why the body is no JSON; empty where all is well."""
    for name, part in parts.items():
        for layer in layers(part):
            if is_pickle(layer):
                return f"{name} is a pickle" if layer is part else f"a pickle, wrapped up in {name}"
    try:
        json.loads(parts["body"])
    except ValueError:
        return f"body is no JSON: it begins with {parts['body'][:24]!r}"
    return ""


def personal(parts: Mapping[str, bytes], secrets: Mapping[str, str]) -> str:
    """What of a message is somebody's own, and where it is; empty where nothing is. `secrets`: what they are, by
    their text."""
    for name, part in parts.items():
        for layer in layers(part):
            text = layer.decode(errors="replace")
            if found := PII.search(text):
                return f"{name} has {_around(text, found)!r}"
            for secret, what in secrets.items():
                if secret in text:
                    return f"{name} has {what}, {secret[:10]}…"
    return ""


def beyond_ids(parts: Mapping[str, bytes], values: Mapping[Leaf, str]) -> str:
    """What a message tells besides ids, and where; empty where nothing is. `values`: what they are, by the value."""
    for name, part in parts.items():
        for layer in layers(part):
            for leaf in leaves(layer):
                if leaf in values:
                    return f"{name} has {values[leaf]}: {leaf}"
    if len(parts["body"]) > LONGEST:
        return f"body has {len(parts['body'])} bytes"
    return ""


def layers(data: bytes, deep: int = DEEPEST) -> Iterator[bytes]:
    """The bytes, and whatever is packed up in them: zlib, base64 in the strings of JSON and of pickles."""
    yield data
    if not deep:
        return
    try:
        yield from layers(zlib.decompress(data), deep - 1)
    except zlib.error:
        for leaf in leaves(data):
            if isinstance(leaf, str) and (inner := _decoded(leaf)):
                yield from layers(inner, deep - 1)


def leaves(data: bytes) -> list[Leaf]:
    """Strings and numbers of a JSON text or a pickle."""
    try:
        return list(_walk(json.loads(data)))
    except (ValueError, RecursionError):
        return [one for one in _operands(data) if isinstance(one, Leaf)]


def is_pickle(data: bytes) -> bool:
    return data[:1] == b"\x80" and bool(_operands(data))


def _operands(data: bytes) -> list[Any]:
    """Of a pickle's opcodes; none where it is no pickle."""
    try:
        return [operand for _, operand, _ in pickletools.genops(data)]
    except Exception:  # whatever the bytes make of it
        return []


def _walk(found: Any) -> Iterator[Leaf]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from _walk(value)
    elif isinstance(found, list):
        for value in found:
            yield from _walk(value)
    elif isinstance(found, Leaf) and not isinstance(found, bool):
        yield found


def _decoded(text: str) -> bytes | None:
    if len(text) < 16 or re.search(r"\s", text):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode() if text.startswith(("{", "[")) else None


def _around(text: str, found: re.Match[str]) -> str:
    around = text[max(0, found.start() - 24) : found.end() + 8]
    return "".join(one for one in around if one.isprintable() and one != "\ufffd")
