"""A report's file: rendered in parts, put together, and kept in the object store."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import unit
from billing.settings import settings
from billing.storage import ObjectStore, Upload, open_store

from .core import Claim, Job

NEVER = datetime.max.replace(tzinfo=UTC)
DOWNLOAD = 86400.0  # seconds that the store's own URL, which web redirects to, can be used
_stores: dict[tuple[int, str], ObjectStore] = {}


class BadSignature(Exception):
    """The URL is not one of ours."""


class Expired(Exception):
    """The URL's time is over."""


class NoArtifact(LookupError):
    """The job has no artifact (yet, or any more)."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One stored part."""

    number: int
    etag: str


def store() -> ObjectStore:
    """This process's client of the store that OBJECT_STORE_URL names."""
    which = (os.getpid(), settings().object_store_url)
    if which not in _stores:
        _stores[which] = open_store(settings().object_store_url)
    return _stores[which]


def begin(claim: Claim, extension: str) -> Upload:
    """The place of a report's file."""
    report = claim.job.args["report_id"]
    return Upload(f"{claim.job.tenant_id}/reports/{report}.{extension}", id=str(claim.job.id))


def part(upload: Upload, number: int, chunks: Iterable[bytes]) -> Ref:
    """Stores one part, until all are there."""
    content = b"".join(chunks)
    _write(_key_of_part(upload, number), content)
    return Ref(number, hashlib.sha256(content).hexdigest())


def finish(upload: Upload, refs: Sequence[Ref]) -> int:
    """Makes the file of its parts; returns its size in bytes."""
    content = b""
    for ref in sorted(refs, key=lambda one: one.number):
        content += b"".join(store().get(_key_of_part(upload, ref.number)))
    _write(upload.key, content)
    return len(content)


def _key_of_part(upload: Upload, number: int) -> str:
    return f"{upload.key}.part{number}"


def _write(key: str, content: bytes) -> None:
    upload = store().begin(key)
    store().complete(upload, [(1, store().put_part(upload, 1, [content]))])


_POINT = text("UPDATE reports SET artifact_key = :key, artifact_bytes = :size WHERE id = :report")


def point(s: Session, claim: Claim, key: str, size: int) -> None:
    """Makes `key` the artifact of the job's report."""
    s.execute(_POINT, {"key": key, "size": size, "report": claim.job.args["report_id"]})


_POINTER = text("SELECT artifact_key FROM reports WHERE id = :report")


def url(job: Job, s: Session | None = None) -> tuple[str, datetime]:
    """(URL, when it expires): the address of the job's artifact. Raises NoArtifact."""
    values = {"report": UUID(job.args["report_id"])}
    if s is not None:
        key = s.execute(_POINTER, values).scalar()
    else:
        with unit() as own:
            key = own.execute(_POINTER, values).scalar()
    if key is None:
        raise NoArtifact(f"job {job.id} has no artifact")
    return f"{settings().public_url.rstrip('/')}/artifacts/{quote(key)}", NEVER


def check(path: str, args: Mapping[str, str], s: Session | None = None) -> str:
    """The object key that a URL stands for; `path` is what follows `/artifacts/`."""
    return path


def location(key: str) -> str:
    """The store's own URL for the object."""
    return store().presign(key, DOWNLOAD, key.rpartition("/")[2])
