"""Client of S3 and of what speaks its protocol, through boto3 (`pip install 'accepted[s3]'`).

Credentials come from where boto3 always looks: AWS_ACCESS_KEY_ID and so on, profile, instance role.
"""

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing.storage.disposition import attachment
from billing.storage.errors import (
    NoSuchObject,
    NoSuchUpload,
    PartChanged,
    PartTooSmall,
    StoreDown,
    StoreError,
    StoreRefused,
)
from billing.storage.port import CHUNK, Stat, Upload, check_key, check_number

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    raise StoreRefused("s3:// needs boto3: pip install 'accepted[s3]'") from None

ERRORS: dict[str, type[StoreError]] = {
    "NoSuchKey": NoSuchObject,
    "404": NoSuchObject,  # a HEAD has no body to name the error in
    "NoSuchUpload": NoSuchUpload,
    "InvalidPart": PartChanged,
    "EntityTooSmall": PartTooSmall,
    "RequestTimeout": StoreDown,
    "SlowDown": StoreDown,
}
SPOOL = 1 << 20  # bytes of a part held in memory before it goes to a temporary file


class S3Store:
    """An ObjectStore. `endpoint`: None for AWS itself."""

    def __init__(self, bucket: str, endpoint: str | None = None, region: str | None = None) -> None:
        self._bucket, self._endpoint, self._region = bucket, endpoint, region
        self._client: tuple[int, S3Client] | None = None

    def begin(self, key: str) -> Upload:
        with _translated():
            told = self._s3().create_multipart_upload(Bucket=self._bucket, Key=check_key(key))
        return Upload(key, told["UploadId"])

    def put_part(self, upload: Upload, number: int, chunks: Iterable[bytes]) -> str:
        check_number(number)
        # S3 wants the length beforehand, and a retry inside boto3 wants to begin again: so the part is
        # spooled.
        with tempfile.SpooledTemporaryFile(SPOOL) as body:
            for chunk in chunks:
                body.write(chunk)
            body.seek(0)
            with _translated():
                told = self._s3().upload_part(
                    Bucket=self._bucket, Key=upload.key, UploadId=upload.id, PartNumber=number, Body=body
                )
        return told["ETag"]

    def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> None:
        if not parts:
            raise StoreRefused(f"an upload needs at least one part: {upload.key}")
        ordered = sorted(parts)
        try:
            with _translated():
                self._s3().complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=upload.key,
                    UploadId=upload.id,
                    MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in ordered]},
                )
        except NoSuchUpload:
            # S3 forgets a finished upload; the object's own etag tells whether it was finished with these
            # parts.
            if self._etag(upload.key) != _joined([etag for _, etag in ordered]):
                raise

    def abort(self, upload: Upload) -> None:
        try:
            with _translated():
                self._s3().abort_multipart_upload(Bucket=self._bucket, Key=upload.key, UploadId=upload.id)
        except NoSuchUpload:
            pass

    def get(self, key: str) -> Iterator[bytes]:
        with _translated():
            body = self._s3().get_object(Bucket=self._bucket, Key=check_key(key))["Body"]
            try:
                yield from body.iter_chunks(CHUNK)
            finally:
                body.close()

    def stat(self, key: str) -> Stat:
        with _translated():
            told = self._s3().head_object(Bucket=self._bucket, Key=check_key(key))
        return Stat(key, told["ContentLength"], told["LastModified"])

    def delete(self, key: str) -> None:
        with _translated():
            self._s3().delete_object(Bucket=self._bucket, Key=check_key(key))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        with _translated():
            for page in self._s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for told in page.get("Contents", []):
                    yield Stat(told["Key"], told["Size"], told["LastModified"])

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        with _translated():
            pages = self._s3().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for told in page.get("Uploads", []):
                    if told["Key"].startswith(prefix):
                        yield Upload(told["Key"], told["UploadId"], told["Initiated"])

    def presign(self, key: str, ttl: float, filename: str) -> str:
        url: str = self._s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": check_key(key),
                "ResponseContentDisposition": attachment(filename),
            },
            ExpiresIn=max(1, round(ttl)),
        )
        return url

    def close(self) -> None:
        if self._client is not None:
            self._client[1].close()
            self._client = None

    def _etag(self, key: str) -> str | None:
        try:
            with _translated():
                return self._s3().head_object(Bucket=self._bucket, Key=key)["ETag"].strip('"')
        except NoSuchObject:
            return None

    def _s3(self) -> "S3Client":
        pid = os.getpid()
        if self._client is None or self._client[0] != pid:
            config = Config(
                signature_version="s3v4",
                connect_timeout=3,
                read_timeout=30,
                retries={"total_max_attempts": 2, "mode": "standard"},
                max_pool_connections=50,
                # Checksums beyond what a request needs are unknown to many stores that speak S3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if self._endpoint else "auto"},
            )
            session = boto3.session.Session()  # the default one isn't safe to share among threads
            region = self._region or session.region_name or "us-east-1"
            client = session.client("s3", endpoint_url=self._endpoint, region_name=region, config=config)
            self._client = pid, client
            weakref.finalize(self, client.close)
        return self._client[1]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as err:
        told = err.response
        status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind = StoreDown if status >= 500 else ERRORS.get(told.get("Error", {}).get("Code", ""), StoreRefused)
        raise kind(f"object store: {err}") from err
    except BotoCoreError as err:
        # Missing credentials won't appear by waiting; all that has to do with the network may.
        kind = StoreRefused if "credentials" in str(err).lower() else StoreDown
        raise kind(f"object store: {err}") from err


def _joined(etags: list[str]) -> str:
    """The etag S3 gives to an object made of parts with these etags."""
    digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"
