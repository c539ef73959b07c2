"""What the system asks of an object store, whoever keeps it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from billing.storage.errors import PartTooSmall, StoreRefused

MIN_PART = 5 << 20  # bytes, for each part but the last: S3's own limit, kept by all so that none surprises later
MAX_PARTS = 10_000
CHUNK = 256 << 10  # bytes, the step in which content is moved


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished multipart upload. Key and id are all it takes to go on with it from another process."""

    key: str
    id: str
    begun: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stat:
    """An object's key, size in bytes, and when it was completed (aware)."""

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Objects appear whole, by `complete`, or not at all. Safe to use from several threads and after a fork.

    Every method may raise StoreDown or StoreRefused.
    """

    def begin(self, key: str) -> Upload:
        """Begin an upload. The object at `key`, if there is one, stays until `complete`."""
        ...

    def put_part(self, upload: Upload, number: int, chunks: Iterable[bytes]) -> str:
        """Store part `number` (1 to 10,000) in flat memory; returns its etag. A part put again replaces the
        former.

        Raises NoSuchUpload; an error of `chunks` itself passes through, and then nothing of the part is kept.
        """
        ...

    def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> None:
        """Make the object of these (number, etag), in order of number. May be repeated when the reply was
        lost.

        Raises PartChanged, PartTooSmall, NoSuchUpload.
        """
        ...

    def abort(self, upload: Upload) -> None:
        """Forget the upload and its parts. No error where it is gone already."""
        ...

    def get(self, key: str) -> Iterator[bytes]:
        """The content in chunks. Raises NoSuchObject, like all errors, while it is read."""
        ...

    def stat(self, key: str) -> Stat:
        """Raises NoSuchObject."""
        ...

    def delete(self, key: str) -> None:
        """No error where there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Objects whose key begins with `prefix`, in order of key."""
        ...

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        """Unfinished uploads whose key begins with `prefix`."""
        ...

    def presign(self, key: str, ttl: float, filename: str) -> str:
        """A URL that anyone may GET for `ttl` seconds, saved by a browser as `filename`. Asks the store
        nothing.
        """
        ...

    def close(self) -> None:
        """Give connections back; a later call opens new ones. Also done when the store is garbage."""
        ...


def check_key(key: str) -> str:
    """The key, or StoreRefused for one that not every store can hold or that is a path in disguise."""
    if not key or len(key.encode()) > 600 or re.search(r"[\x00-\x1f\x7f\\]", key):
        raise StoreRefused(f"{key!r} is no object key: 1 to 600 bytes, no control characters, no backslash")
    if any(piece in ("", ".", "..") for piece in key.split("/")):
        raise StoreRefused(f"{key!r} is no object key: no empty piece, no . or .. between slashes")
    return key


def check_number(number: int) -> int:
    if not 1 <= number <= MAX_PARTS:
        raise StoreRefused(f"part {number} of an upload: parts are numbered from 1 to {MAX_PARTS}")
    return number


def check_sizes(sizes: Sequence[tuple[int, int]]) -> None:
    """Raises PartTooSmall if one of these (number, bytes), in order, is too small to have a successor."""
    for number, size in sizes[:-1]:
        if size < MIN_PART:
            raise PartTooSmall(
                f"part {number} has {size} bytes and is not the last: gather at least {MIN_PART} bytes for a part"
            )


def regroup(chunks: Iterable[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """The same bytes in chunks of about `size`: one row of CSV at a time would be a system call each."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= size:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
