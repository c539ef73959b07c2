"""An ObjectStore in this process's memory: for unit tests and eager mode, where web and worker are one
process.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from billing.storage.errors import NoSuchObject, NoSuchUpload, PartChanged, StoreRefused
from billing.storage.port import CHUNK, Stat, Upload, check_key, check_number, check_sizes
from billing.storage.signing import objection, signed


class MemoryStore:
    """`download(url)` plays the part of the server for presigned URLs."""

    def __init__(self) -> None:
        self._secret = secrets.token_hex()
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, datetime, str]] = {}  # content, completed, upload id
        self._uploads: dict[str, tuple[Upload, dict[int, bytes]]] = {}

    def begin(self, key: str) -> Upload:
        upload = Upload(check_key(key), secrets.token_hex(16), datetime.now(UTC))
        with self._lock:
            self._uploads[upload.id] = upload, {}
        return upload

    def put_part(self, upload: Upload, number: int, chunks: Iterable[bytes]) -> str:
        content = b"".join(chunks)
        with self._lock:
            self._parts(upload)[check_number(number)] = content
        return _etag(content)

    def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> None:
        with self._lock:
            made = self._objects.get(upload.key)
            if made and made[2] == upload.id:
                return  # the reply to the first time was lost
            have = self._parts(upload)
            for number, etag in parts:
                if number not in have or _etag(have[number]) != etag:
                    raise PartChanged(f"part {number} of {upload.key} is not the one given")
            if not parts:
                raise StoreRefused(f"an upload needs at least one part: {upload.key}")
            ordered = [have[number] for number, _ in sorted(parts)]
            check_sizes([(number, len(have[number])) for number, _ in sorted(parts)])
            self._objects[upload.key] = b"".join(ordered), datetime.now(UTC), upload.id
            del self._uploads[upload.id]

    def abort(self, upload: Upload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)

    def get(self, key: str) -> Iterator[bytes]:
        content = self._find(key)[0]
        for start in range(0, len(content), CHUNK):
            yield content[start : start + CHUNK]

    def stat(self, key: str) -> Stat:
        content, completed, _ = self._find(key)
        return Stat(key, len(content), completed)

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_key(key), None)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        with self._lock:
            found = sorted((key, made) for key, made in self._objects.items() if key.startswith(prefix))
        for key, (content, completed, _) in found:
            yield Stat(key, len(content), completed)

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        with self._lock:
            found = [upload for upload, _ in self._uploads.values() if upload.key.startswith(prefix)]
        yield from found

    def presign(self, key: str, ttl: float, filename: str) -> str:
        return "memory:" + signed(self._secret, "GET", "/" + check_key(key), {"filename": filename}, ttl)

    def close(self) -> None:
        """Nothing to give back: what is named stays until the process ends."""

    def download(self, url: str, now: float | None = None) -> tuple[bytes, str]:
        """Content and filename behind a presigned URL. Raises StoreRefused where it is expired or tampered
        with.
        """
        parts = urlsplit(url)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
        why = objection(self._secret, "GET", path, query, time.time() if now is None else now)
        if why:
            raise StoreRefused(f"this link cannot be used: {why}")
        return self._find(path.removeprefix("/"))[0], query["filename"]

    def _find(self, key: str) -> tuple[bytes, datetime, str]:
        with self._lock:
            if check_key(key) not in self._objects:
                raise NoSuchObject(f"no object at {key}")
            return self._objects[key]

    def _parts(self, upload: Upload) -> dict[int, bytes]:
        known = self._uploads.get(upload.id)
        if known is None or known[0].key != upload.key:
            raise NoSuchUpload(f"no unfinished upload {upload.id} of {upload.key}")
        return known[1]


_named: dict[str, MemoryStore] = {}


def named(name: str) -> MemoryStore:
    """The one store of this name in this process."""
    return _named.setdefault(name, MemoryStore())


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
