"""Files that are there whole after a crash, or as they were before it."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """In one step, and on the disk when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _written(beside, content, 0o666)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    settle(path.parent)


def copy(source: Path, target: Path, paths: Iterable[str]) -> None:
    """Files of a folder into a new one, which nobody looks into before all of them are on the disk."""
    folders = {target}
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        _written(target / path, (source / path).read_bytes(), (source / path).stat().st_mode & 0o777)
        folders.update(target / above for above in Path(path).parents)
    for folder in sorted(folders):
        settle(folder)


def settle(folder: Path) -> None:
    """The names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(path: Path, content: bytes, mode: int) -> None:
    """The umask takes its bits from `mode`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
