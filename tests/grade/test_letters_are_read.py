"""Exercise 5 looks for personal data in dead letters, however a tree has packed the bytes that nobody could read."""

import base64
import textwrap
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.grade.beside import modules

ACCOUNT = "DE02120300000000202051"
BYTES = f'{{"charge": "{ACCOUNT}", "mail": "ü@example.com", "to": '.encode()
PACKED = base64.b64encode(BYTES).decode()


@pytest.fixture(scope="module")
def exercise() -> Iterator[SimpleNamespace]:
    with modules(5) as found:
        yield found


@pytest.mark.parametrize(
    "kept",
    [
        BYTES.decode(),
        PACKED,
        base64.urlsafe_b64encode(BYTES).decode().rstrip("="),
        "\n".join(textwrap.wrap(PACKED, 76)),
        PACKED[:50],
        f"body={PACKED}",
        "\\x" + BYTES.hex(),
        {"message": {"headers": [], "body": PACKED}},
        ["x", {"raw": BYTES.hex().upper()}],
    ],
)
def test_what_is_packed_is_found(exercise: SimpleNamespace, kept: Any) -> None:
    assert any(ACCOUNT in text for text in exercise.asking.texts(kept))


@pytest.mark.parametrize("kept", [None, 3, "a" * 200, {"trace_id": "0" * 32}, PACKED[40:]])
def test_what_is_not_there_is_not_found(exercise: SimpleNamespace, kept: Any) -> None:
    assert not any(ACCOUNT in text for text in exercise.asking.texts(kept))
