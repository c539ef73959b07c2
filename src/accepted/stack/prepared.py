"""PostgreSQL's data folder as `initdb` left it, kept to be copied: a copy is there in a tenth of the time.

Below `.accepted/`, of this user only, and made anew for other programs or options; `make clean` removes it.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from accepted.stack.account import Account, is_ours
from accepted.stack.errors import cannot_write
from accepted.stack.state import root

DATA, PASSWORD = "data", "password"


class Prepared:
    """The folder that these programs make with these options, and the password that its role was given."""

    def __init__(self, programs: Path, options: Sequence[str], into: Path | None = None) -> None:
        server = (programs / "postgres").stat()
        of = (str(programs), str(server.st_size), str(server.st_mtime_ns), *options)
        name = hashlib.sha256("\0".join(of).encode()).hexdigest()[:12]
        self.path = (into or root() / ".accepted") / f"postgres-{name}"

    @property
    def there(self) -> bool:
        """Whether it is prepared, and nobody else could have written or read it."""
        return is_ours(self.path, closed=0o077)

    def copy(self, target: Path, account: Account | None) -> str:
        """Makes `target`, which belongs to `account`, and returns the password. Raises Problem."""
        try:
            shutil.copytree(self.path / DATA, target)
            if account:
                for path in (target, *target.rglob("*")):
                    os.chown(path, account.uid, account.gid)
            return (self.path / PASSWORD).read_text()
        except OSError as error:
            raise cannot_write(error.filename or target, error) from error

    def keep(self, made: Path, password: str) -> None:
        """Keeps a copy of `made`, where no server has run on it yet. Whoever is first wins, and a full disk is no
        reason to fail: the next run then makes its own again."""
        if self.path.exists():
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            aside = Path(tempfile.mkdtemp(prefix=f"{self.path.name}.", dir=self.path.parent))
            try:
                shutil.copytree(made, aside / DATA)
                (aside / PASSWORD).touch(mode=0o600)
                (aside / PASSWORD).write_text(password)
                aside.rename(self.path)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
