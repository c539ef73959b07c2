"""Where things lie in the store's folder. No name that came over the wire becomes a path unquoted.

ROOT/BUCKET/objects/<quoted key>.json        an object: what it is and which blob holds it
ROOT/BUCKET/blobs/<id>                       content, never changed once it has its name
ROOT/BUCKET/uploads/<id>/upload.json         an unfinished upload
ROOT/BUCKET/uploads/<id>/<number>-<ns>-<etag>  a part; of two with one number the later (ns) counts
"""

import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

from accepted.durable import settle
from billing.storage.errors import NoSuchUpload, StoreRefused
from billing.storage.port import check_key

BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
ID = re.compile(r"[0-9a-f]{32}")
LONGEST = 240  # bytes of a file name, below every file system's limit with our suffixes


class Layout:
    def __init__(self, root: Path) -> None:
        self.root = root

    def bucket(self, name: str) -> Path:
        if not BUCKET.fullmatch(name):
            raise StoreRefused(f"{name!r} is no bucket name: 2 to 63 of a-z, 0-9 and -")
        return self.root / name

    def objects(self, bucket: str) -> Path:
        return self.bucket(bucket) / "objects"

    def object(self, bucket: str, key: str) -> Path:
        name = quote(check_key(key), safe="")
        if name.startswith("."):
            name = "%2E" + name[1:]  # names that begin with a dot are drafts
        if len(name) > LONGEST:
            # Too long for a file name: its beginning for people, a digest to be unique. The key is in the
            # file.
            name = name[: LONGEST - 65] + "~" + hashlib.sha256(key.encode()).hexdigest()
        return self.objects(bucket) / f"{name}.json"

    def blobs(self, bucket: str) -> Path:
        return self.bucket(bucket) / "blobs"

    def uploads(self, bucket: str) -> Path:
        return self.bucket(bucket) / "uploads"

    def upload(self, bucket: str, upload: str) -> Path:
        if not ID.fullmatch(upload):
            raise NoSuchUpload(f"{upload!r} is no upload")
        return self.uploads(bucket) / upload


def fresh_id() -> str:
    return secrets.token_hex(16)


def write_json(path: Path, content: Any) -> None:
    """Write a file that is there whole or not at all, and still there after a power cut."""
    draft = path.with_name(f".{fresh_id()}")
    with draft.open("w") as out:
        json.dump(content, out)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    settle(path.parent)
