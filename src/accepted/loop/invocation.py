"""How a person calls `accepted` from where they stand. make's targets know where it is; a shell mostly does not."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "accepted"


def program() -> str:
    """By its name where the PATH leads to this one, else by the path that it was called with."""
    called = Path(sys.argv[0])
    if called.name != NAME:
        return f"{shlex.quote(sys.executable)} -m accepted.cli"
    return NAME if _same(shutil.which(NAME), called) else shlex.quote(str(called))


def _same(one: str | None, other: Path) -> bool:
    try:
        return one is not None and other.samefile(one)
    except OSError:
        return False
