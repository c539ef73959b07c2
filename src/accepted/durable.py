"""Files that are there whole after a crash, or as they were before it."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """In one step, and on the disk when it returns. `mode`: its permissions, else those of every new file."""
    with _in_one_step(path) as beside:
        _written(beside, content, mode)


def put(source: Path, path: Path) -> None:
    """Makes `path` what `source` is, in one step: a file with its permissions, or a link that leads where it leads."""
    with _in_one_step(path) as beside:
        _made_as(source, beside)


def copy(source: Path, target: Path, paths: Iterable[str]) -> None:
    """Files and links of a folder into a new one, which nobody looks into before all of them are on the disk."""
    folders = {target}
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        _made_as(source / path, target / path)
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


@contextmanager
def _in_one_step(path: Path) -> Iterator[Path]:
    """A name beside it, for what takes its place in the end. Where it was a link, that goes, not what is behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    settle(path.parent)


def _made_as(source: Path, path: Path) -> None:
    if source.is_symlink():
        path.symlink_to(source.readlink())
    else:
        _written(path, source.read_bytes(), source.stat().st_mode & 0o777)


def _written(path: Path, content: bytes, mode: int | None) -> None:
    """The umask takes its bits from those of a new file, and from no `mode` that was asked for."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            with suppress(PermissionError):  # some mounted file systems have no permissions
                os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
