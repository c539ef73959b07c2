"""Unfinished uploads on disk: begun, written part by part, aborted. Blocking: call it from a thread."""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accepted.durable import settle
from accepted.store.layout import Layout, fresh_id, write_json
from billing.storage.errors import NoSuchUpload
from billing.storage.port import check_key, check_number


@dataclass(frozen=True, slots=True)
class Part:
    path: Path
    etag: str
    size: int


class Draft:
    """A part on its way in: a file with no name yet that anyone looks for."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self._path = folder / f".{fresh_id()}"
        self._digest = hashlib.md5(usedforsecurity=False)
        self._out = self._path.open("wb", buffering=0)  # closed by keep or drop

    def write(self, chunk: bytes | bytearray) -> None:
        self._digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[self._out.write(view) :]

    def keep(self) -> str:
        """Make it the part of this number, durably, in place of any former. Returns its etag (MD5)."""
        os.fsync(self._out.fileno())
        self._out.close()
        etag = self._digest.hexdigest()
        name = f"{self._number:05d}-{time.time_ns():020d}-{etag}"
        self._path.replace(self._folder / name)
        settle(self._folder)
        for former in self._folder.glob(f"{self._number:05d}-*"):
            if former.name < name:
                former.unlink(missing_ok=True)
        return etag

    def drop(self) -> None:
        self._out.close()
        self._path.unlink(missing_ok=True)


class Uploads:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def begin(self, bucket: str, key: str) -> dict[str, Any]:
        """A new upload: {"key", "upload", "begun" (epoch seconds)}. Makes the bucket on first use."""
        about: dict[str, Any] = {"key": check_key(key), "upload": fresh_id(), "begun": time.time()}
        for folder in (self._layout.objects(bucket), self._layout.blobs(bucket)):
            folder.mkdir(parents=True, exist_ok=True)
        folder = self._layout.upload(bucket, about["upload"])
        folder.mkdir(parents=True)
        write_json(folder / "upload.json", about)
        settle(folder.parent)
        return about

    def draft(self, bucket: str, key: str, upload: str, number: int) -> Draft:
        """A part to write into. Raises NoSuchUpload."""
        check_number(number)
        folder = self._known(bucket, key, upload)
        with _gone_is(upload):
            return Draft(folder, number)

    def parts(self, bucket: str, key: str, upload: str) -> dict[int, Part]:
        """What is there, by number. Raises NoSuchUpload."""
        found: dict[int, Part] = {}
        folder = self._known(bucket, key, upload)
        with _gone_is(upload):
            for path in sorted(folder.glob("[0-9]*-*-*")):
                number, _, etag = path.name.split("-")
                found[int(number)] = Part(path, etag, path.stat().st_size)
        return found

    def abort(self, bucket: str, upload: str) -> None:
        """Remove it and its parts; no error where there is none."""
        folder = self._layout.upload(bucket, upload)
        # Its description goes first, so that a half-removed upload is none.
        (folder / "upload.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def list(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        for path in sorted(self._layout.uploads(bucket).glob("*/upload.json")):
            with contextlib.suppress(FileNotFoundError):
                about = json.loads(path.read_bytes())
                if about["key"].startswith(prefix):
                    yield about

    def _known(self, bucket: str, key: str, upload: str) -> Path:
        folder = self._layout.upload(bucket, upload)
        with _gone_is(upload):
            if json.loads((folder / "upload.json").read_bytes())["key"] == key:
                return folder
        raise NoSuchUpload(f"upload {upload} is of another key")


@contextlib.contextmanager
def _gone_is(upload: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NoSuchUpload(f"no unfinished upload {upload}") from None
