"""The object store: a small port, and clients for the local store, S3 and unit tests.

store = open_store("http://127.0.0.1:9000/artifacts?secret=…")
upload = store.begin("reports/7/3/lines.csv")
parts = [(1, store.put_part(upload, 1, rows))]
store.complete(upload, parts)
"""

from billing.storage.errors import (
    NoSuchObject,
    NoSuchUpload,
    PartChanged,
    PartTooSmall,
    StoreDown,
    StoreError,
    StoreRefused,
)
from billing.storage.port import MIN_PART, ObjectStore, Stat, Upload
from billing.storage.urls import open_store

__all__ = [
    "MIN_PART",
    "NoSuchObject",
    "NoSuchUpload",
    "ObjectStore",
    "PartChanged",
    "PartTooSmall",
    "Stat",
    "StoreDown",
    "StoreError",
    "StoreRefused",
    "Upload",
    "open_store",
]
