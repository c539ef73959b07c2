"""A copy of PostgreSQL's files that the server's account can reach, for a checkout below a closed folder
such as /root.

Nobody's folders get other permissions. The copy is made once per build, beside, and renamed into place: two
runs at once are safe.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from accepted.stack.account import SHARED_TEMPORARY, is_ours
from accepted.stack.errors import cannot_write


def copied(install: Path, libraries: Path | None, version: str, into: Path = SHARED_TEMPORARY) -> Path:
    """Copies `install` (bin, lib, share) and the wheel's `libraries` beside it; returns the copy's bin
    folder.

    The places keep their distance, because the binaries find the libraries relative to themselves.
    """
    digest = hashlib.sha256((install / "bin" / "postgres").read_bytes()).hexdigest()[:12]
    target = into / f"accepted-postgres-{version}-{digest}"
    installed = target / install.parent.name / install.name
    if _trusted(target):
        return installed / "bin"
    try:
        aside = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=into))
        try:
            place = aside / install.parent.name / install.name
            for part in ("bin", "lib", "share"):
                shutil.copytree(install / part, place / part, symlinks=True)
            if libraries is not None:
                shutil.copytree(libraries, aside / libraries.name, symlinks=True)
            aside.chmod(0o755)
            aside.rename(target)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not _trusted(target):  # else another run was first, and its copy is as good
                raise
    except OSError as error:
        raise cannot_write(error.filename or target, error) from error
    return installed / "bin"


def _trusted(target: Path) -> bool:
    """Whether the copy is there and ours: /var/tmp is everyone's, and what lies there will be run."""
    return is_ours(target, closed=0o022)
