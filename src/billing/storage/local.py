"""Client of the kit's local object store (`python -m accepted.store`) over HTTP."""

import json
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from billing.storage.errors import (
    NoSuchObject,
    NoSuchUpload,
    PartChanged,
    PartTooSmall,
    StoreDown,
    StoreError,
    StoreRefused,
)
from billing.storage.port import CHUNK, Stat, Upload, check_key, check_number, regroup
from billing.storage.signing import signed

REQUEST_TTL = 300.0  # seconds in which a request of our own must arrive
TIMEOUT = httpx.Timeout(30.0, connect=3.0)  # seconds: per read or write, not for the whole transfer
ERRORS: dict[str, type[StoreError]] = {
    "NoSuchObject": NoSuchObject,
    "NoSuchUpload": NoSuchUpload,
    "PartChanged": PartChanged,
    "PartTooSmall": PartTooSmall,
}


class LocalStore:
    """An ObjectStore. `base`: http://HOST:PORT; `public`: the same as holders of presigned URLs reach it, if that
    differs. Makes no retries: who calls knows better when to."""

    def __init__(self, base: str, bucket: str, secret: str, public: str | None = None) -> None:
        self._base, self._bucket, self._secret = base, bucket, secret
        self._public = (public or base).rstrip("/")
        self._client: tuple[int, httpx.Client] | None = None

    def begin(self, key: str) -> Upload:
        told = self._call("POST", check_key(key), {"uploads": ""}).json()
        return Upload(key, told["upload"], datetime.fromtimestamp(told["begun"], UTC))

    def put_part(self, upload: Upload, number: int, chunks: Iterable[bytes]) -> str:
        query = {"upload": upload.id, "part": str(check_number(number))}
        etag: str = self._call("PUT", upload.key, query, regroup(chunks)).json()["etag"]
        return etag

    def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> None:
        body = json.dumps({"parts": sorted(parts)}).encode()
        self._call("POST", upload.key, {"upload": upload.id}, body)

    def abort(self, upload: Upload) -> None:
        self._call("DELETE", upload.key, {"upload": upload.id})

    def get(self, key: str) -> Iterator[bytes]:
        with _translated(), self._http().stream("GET", self._url("GET", check_key(key))) as answer:
            if answer.status_code != 200:
                answer.read()
                _raise(answer)
            yield from answer.iter_bytes(CHUNK)

    def stat(self, key: str) -> Stat:
        # Not a HEAD, whose error would come without the body that names it.
        return _stat(self._call("GET", check_key(key), {"stat": ""}).json())

    def delete(self, key: str) -> None:
        self._call("DELETE", check_key(key))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        for told in self._call("GET", "", {"list": prefix}).json()["objects"]:
            yield _stat(told)

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        for told in self._call("GET", "", {"uploads": prefix}).json()["uploads"]:
            yield Upload(told["key"], told["upload"], datetime.fromtimestamp(told["begun"], UTC))

    def presign(self, key: str, ttl: float, filename: str) -> str:
        path = f"/{self._bucket}/{check_key(key)}"
        return self._public + signed(self._secret, "GET", path, {"filename": filename}, ttl)

    def close(self) -> None:
        if self._client is not None:
            self._client[1].close()
            self._client = None

    def _url(self, method: str, key: str, query: dict[str, str] | None = None) -> str:
        path = f"/{self._bucket}/{key}" if key else f"/{self._bucket}"
        return self._base + signed(self._secret, method, path, query or {}, REQUEST_TTL)

    def _call(
        self,
        method: str,
        key: str,
        query: dict[str, str] | None = None,
        content: Iterable[bytes] | bytes = b"",
    ) -> httpx.Response:
        with _translated():
            answer = self._http().request(method, self._url(method, key, query), content=content)
        if answer.status_code >= 300:
            _raise(answer)
        return answer

    def _http(self) -> httpx.Client:
        # A connection inherited over a fork would be read by two processes: each process has its own.
        pid = os.getpid()
        if self._client is None or self._client[0] != pid:
            # trust_env off: a proxy meant for the internet must not get what stays on this machine.
            client = httpx.Client(timeout=TIMEOUT, trust_env=False)
            self._client = pid, client
            weakref.finalize(self, client.close)
        return self._client[1]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as err:
        raise StoreDown(f"object store: {type(err).__name__}: {err}") from err


def _raise(answer: httpx.Response) -> None:
    try:
        told = answer.json()
        code, message = str(told["error"]), str(told["message"])
    except (ValueError, TypeError, KeyError):
        code, message = "NoSuchObject" if answer.status_code == 404 else "", f"status {answer.status_code}"
    if answer.status_code >= 500 or answer.status_code == 408:
        raise StoreDown(f"object store: {message}")
    raise ERRORS.get(code, StoreRefused)(f"object store: {message}")


def _stat(told: dict[str, Any]) -> Stat:
    return Stat(told["key"], told["size"], datetime.fromtimestamp(told["modified"], UTC))
