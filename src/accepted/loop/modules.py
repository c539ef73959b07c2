"""The files of a tree that an exercise is about."""

import hashlib
from pathlib import Path

from accepted.ladder import rungs


def paths(number: int, backend: str) -> list[str]:
    """The exercise's modules and the parts of the reference's, those of other libraries left out."""
    other = "on_celery/" if backend == "rq" else "on_rq/"
    mine = [rung for rung in rungs() if rung.number == number]
    return sorted(path for rung in mine for path in rung.modules | rung.parts if not path.startswith(other))


def digest(tree: Path, number: int, backend: str) -> str:
    """Of what these files hold (SHA-256, hex); one that is not there, or can't be read, is a state like any other.

    Of these alone: a tree is mended exercise by exercise, and a digest of all of it would call every earlier pass old.
    """
    found = hashlib.sha256()
    for path in paths(number, backend):
        try:
            held = hashlib.sha256((tree / path).read_bytes()).hexdigest()
        except OSError:
            held = ""
        found.update(f"{path} {held}\n".encode())
    return found.hexdigest()
