"""A report's file: written in parts in flat memory, pointed at once it is whole, handed out by signed URL.

The object's key holds the fencing token of the run that began it, so no two runs ever write the same object; the
pointer in `reports` is the one write that decides which object is the artifact, and it is fenced. Objects that
nobody points at are swept.
"""

import hashlib
import hmac
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import unit
from billing.settings import settings
from billing.storage import ObjectStore, Upload, open_store

from . import claims
from .core import Claim, Job

REDIRECT_TTL = 60.0  # seconds that the store's own URL, which web redirects to, can be used
_stores: dict[tuple[int, str], ObjectStore] = {}


class BadSignature(Exception):
    """The URL is not one that we signed: another tenant, job, object or time, or plain nonsense."""


class Expired(Exception):
    """We signed it, and its time is over."""


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
    """Begins the file of a report.export job, under a key that no other run will ever use."""
    job = claim.job
    version = job.natural_key.rpartition(":")[2]
    return store().begin(f"{job.tenant_id}/reports/{job.args['report_id']}/v{version}/{claim.fence}.{extension}")


def part(upload: Upload, number: int, chunks: Iterable[bytes]) -> Ref:
    """Stores one part as it is produced. Raises StoreDown, NoSuchUpload."""
    return Ref(number, store().put_part(upload, number, chunks))


def finish(upload: Upload, refs: Sequence[Ref]) -> int:
    """Makes the file of its parts; returns its size in bytes. Raises PartChanged, NoSuchUpload, StoreDown."""
    store().complete(upload, [(one.number, one.etag) for one in sorted(refs, key=lambda one: one.number)])
    return store().stat(upload.key).size


_POINT = text("""
UPDATE reports SET artifact_key = :key, artifact_bytes = :size, artifact_fence = :fence
WHERE id = :report AND (artifact_fence IS NULL OR artifact_fence <= :fence)
""")


def point(s: Session, claim: Claim, key: str, size: int) -> None:
    """The fenced write that makes `key` the job's artifact. Raises LostLease."""
    claims.hold(s, claim)
    s.execute(_POINT, {"key": key, "size": size, "fence": claim.fence, "report": claim.job.args["report_id"]})


_POINTER = text("""
SELECT artifact_key FROM jobs JOIN reports ON reports.id = CAST(jobs.args ->> 'report_id' AS uuid)
WHERE jobs.id = :job AND jobs.tenant_id = :tenant AND reports.tenant_id = :tenant AND jobs.kind = 'report.export'
""")


def _pointer(job_id: UUID, tenant: str, s: Session | None) -> str | None:
    values = {"job": job_id, "tenant": tenant}
    if s is not None:
        return s.execute(_POINTER, values).scalar()
    with unit() as own:
        return own.execute(_POINTER, values).scalar()


def url(job: Job, s: Session | None = None) -> tuple[str, datetime]:
    """(URL, when it expires): web's own address for the job's artifact, good for URL_TTL seconds.

    Raises NoArtifact. Without `s` it reads in a transaction of its own.
    """
    key = _pointer(job.id, job.tenant_id, s)
    if key is None:
        raise NoArtifact(f"job {job.id} has no artifact")
    expires = math.ceil(time.time()) + settings().url_ttl
    path = f"{job.tenant_id}/{job.id}/{filename_of(key)}"
    query = urlencode({"expires": expires, "signature": _sign(path, key, str(expires))})
    where = f"{settings().public_url.rstrip('/')}/artifacts/{quote(path)}?{query}"
    return where, datetime.fromtimestamp(expires, UTC)


def check(path: str, args: Mapping[str, str], s: Session | None = None) -> str:
    """The object key that a signed URL stands for; `path` is what follows `/artifacts/`.

    Raises BadSignature, Expired; DatabaseDown. Expired is said only of what we signed.
    """
    pieces = path.split("/")
    expires, signature = args.get("expires", ""), args.get("signature", "")
    if len(pieces) != 3 or not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise BadSignature
    tenant, job, _ = pieces
    try:
        key = _pointer(UUID(job), tenant, s) if tenant.isascii() and "\0" not in tenant else None
    except ValueError:
        key = None
    # The object's key is signed as well and stands nowhere in the URL, so a new artifact voids the old one's URLs.
    expected = _sign(path, key or "", expires)
    good = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))
    if key is None or not good:
        raise BadSignature
    if int(expires) <= time.time():
        raise Expired
    return key


def location(key: str) -> str:
    """The store's own URL for the object, for a minute."""
    return store().presign(key, REDIRECT_TTL, filename_of(key))


def filename_of(key: str) -> str:
    """What a browser saves the object as."""
    pieces = key.split("/")
    return f"report-{pieces[2][:8]}.{pieces[-1].rpartition('.')[2]}" if len(pieces) > 3 else pieces[-1]


def _sign(path: str, key: str, expires: str) -> str:
    # A key derived for this purpose only, so that no signature made elsewhere with SECRET_KEY fits here.
    secret = hmac.new(settings().secret().encode(), b"artifact urls", hashlib.sha256).digest()
    return hmac.new(secret, "\n".join((path, key, expires)).encode(), hashlib.sha256).hexdigest()
