"""Finished objects on disk. Blocking: call it from a thread."""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from accepted.durable import settle
from accepted.store.layout import Layout, fresh_id, write_json
from accepted.store.parts import Part, Uploads
from billing.storage.errors import NoSuchObject, NoSuchUpload, PartChanged, StoreRefused
from billing.storage.port import check_sizes

COPY = 1 << 20  # bytes moved at a time


class Objects:
    def __init__(self, layout: Layout, uploads: Uploads) -> None:
        self._layout, self._uploads = layout, uploads
        # Two completions of one key must not remove each other's blob; other keys don't wait.
        self._locks = [threading.Lock() for _ in range(64)]

    def complete(self, bucket: str, key: str, upload: str, wanted: Sequence[tuple[int, str]]) -> dict[str, Any]:
        """Join these (number, etag) into the object. Raises PartChanged, PartTooSmall, NoSuchUpload,
        StoreRefused.

        The object's file is the commit: killed before it, the upload is still there; after it, a repeat
        succeeds.
        """
        with self._lock(bucket, key):
            try:
                parts = chosen(self._uploads.parts(bucket, key, upload), wanted)
            except NoSuchUpload:
                with contextlib.suppress(NoSuchObject):
                    made = self.find(bucket, key)
                    if made["upload"] == upload:
                        return made
                raise
            blob = self._layout.blobs(bucket) / fresh_id()
            _join(parts, blob)
            size = sum(part.size for part in parts)
            about = {"key": key, "size": size, "modified": time.time(), "blob": blob.name, "upload": upload}
            self._replace(bucket, key, about)
            self._uploads.abort(bucket, upload)
            return about

    def find(self, bucket: str, key: str) -> dict[str, Any]:
        """{"key", "size", "modified" (epoch seconds), "blob", "upload"}. Raises NoSuchObject."""
        try:
            about: dict[str, Any] = json.loads(self._layout.object(bucket, key).read_bytes())
        except FileNotFoundError:
            raise NoSuchObject(f"no object at {key}") from None
        return about

    def content(self, bucket: str, about: dict[str, Any]) -> Path:
        return self._layout.blobs(bucket) / str(about["blob"])

    def delete(self, bucket: str, key: str) -> None:
        with self._lock(bucket, key):
            self._replace(bucket, key, None)

    def list(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        found = []
        for path in self._layout.objects(bucket).glob("[!.]*.json"):
            with contextlib.suppress(FileNotFoundError):
                about = json.loads(path.read_bytes())
                if about["key"].startswith(prefix):
                    found.append(about)
        return sorted(found, key=lambda about: about["key"])

    def sweep(self) -> int:
        """Remove what a killed store left half done, in every bucket. Returns how many blobs. Only at
        start.
        """
        swept = 0
        for bucket in (path.name for path in self._layout.root.iterdir() if path.is_dir()):
            held = {about["blob"] for about in self.list(bucket, "")}
            for blob in self._layout.blobs(bucket).glob("*"):
                if blob.name not in held:
                    blob.unlink()
                    swept += 1
            for draft in self._layout.bucket(bucket).glob("*/.*"):
                draft.unlink()
            for folder in self._layout.uploads(bucket).glob("*"):
                if not (folder / "upload.json").exists():
                    shutil.rmtree(folder)
                for draft in folder.glob(".*"):
                    draft.unlink()
        return swept

    def _replace(self, bucket: str, key: str, about: dict[str, Any] | None) -> None:
        former = None
        with contextlib.suppress(NoSuchObject):
            former = self.find(bucket, key)
        path = self._layout.object(bucket, key)
        if about is not None:
            write_json(path, about)
        elif former is not None:
            path.unlink()
            settle(path.parent)
        if former is not None:
            # Who is reading it has it open and reads on.
            self.content(bucket, former).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self, bucket: str, key: str) -> Iterator[None]:
        with self._locks[hash((bucket, key)) % len(self._locks)]:
            yield


def chosen(have: dict[int, Part], wanted: Sequence[tuple[int, str]]) -> list[Part]:
    """The parts of an object in order. Raises PartChanged, PartTooSmall, StoreRefused (none or one twice)."""
    ordered = sorted(wanted)
    if not ordered or len({number for number, _ in ordered}) < len(ordered):
        raise StoreRefused("an upload needs at least one part, and each part once")
    for number, etag in ordered:
        if number not in have or have[number].etag != etag:
            raise PartChanged(f"part {number} is not the one given: it was written again, or never")
    check_sizes([(number, have[number].size) for number, _ in ordered])
    return [have[number] for number, _ in ordered]


def _join(parts: list[Part], blob: Path) -> None:
    with blob.open("xb") as out:
        for part in parts:
            try:
                with part.path.open("rb") as source:
                    shutil.copyfileobj(source, out, COPY)
            except FileNotFoundError:
                blob.unlink()
                raise PartChanged(f"{part.path.name.split('-')[0]}: this part was written again meanwhile") from None
        out.flush()
        os.fsync(out.fileno())
    settle(blob.parent)
