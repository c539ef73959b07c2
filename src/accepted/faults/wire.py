"""What a protocol's reader tells the proxy about the bytes that pass."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes from a process. `begins`: they begin a crossing of this name. `answered`: a reply belongs to it."""

    data: bytes
    begins: str | None = None
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes from a server. `ends`: so many of the oldest crossings under way are answered with them in full.

    `begins`: the server speaks first (a pushed message), and this is the crossing's name.
    """

    data: bytes
    ends: int = 0
    begins: str | None = None


class Reader(Protocol):
    """Cuts one connection's bytes where one request ends and the next begins; loses and adds none."""

    def sent(self, data: bytes) -> list[Sent]:
        """Bytes from the process, as far as they are whole; the rest is kept for the next call."""

    def received(self, data: bytes) -> list[Received]:
        """The same, from the server."""

    def awaits(self) -> list[str]:
        """Crossings that the server will begin, because it was asked to push."""
        return []


class Opaque(Reader):
    """A protocol that we do not know: everything passes, nothing has a name."""

    def sent(self, data: bytes) -> list[Sent]:
        return [Sent(data)]

    def received(self, data: bytes) -> list[Received]:
        return [Received(data)]
