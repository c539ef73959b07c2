"""From `OBJECT_STORE_URL` to a store."""

from urllib.parse import parse_qsl, unquote, urlsplit

from billing.storage.errors import StoreRefused
from billing.storage.port import ObjectStore

SHAPES = "http://HOST:PORT/BUCKET?secret=…[&public=URL], s3://BUCKET?endpoint=…&region=… or memory://NAME"


def open_store(url: str) -> ObjectStore:
    """The store that `url` names (see SHAPES). Connects at first use, so it may be called before a fork.

    Raises StoreRefused for a URL of another shape, or for s3:// without boto3.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if parts.scheme in ("http", "https"):
        from billing.storage.local import LocalStore

        bucket = unquote(parts.path.strip("/"))
        if not parts.netloc or not bucket or "/" in bucket or not options.get("secret"):
            raise StoreRefused(f"OBJECT_STORE_URL lacks bucket or secret: set it to {SHAPES}")
        return LocalStore(f"{parts.scheme}://{parts.netloc}", bucket, options["secret"], options.get("public"))
    if parts.scheme == "s3":
        from billing.storage.s3 import S3Store

        if not parts.netloc:
            raise StoreRefused(f"OBJECT_STORE_URL lacks the bucket: set it to {SHAPES}")
        return S3Store(parts.netloc, options.get("endpoint"), options.get("region"))
    if parts.scheme == "memory":
        from billing.storage.memory import named

        return named(parts.netloc)
    raise StoreRefused(f"OBJECT_STORE_URL has the unknown scheme {parts.scheme!r}: set it to {SHAPES}")
