"""The account that PostgreSQL runs as, and folders that it can reach.

PostgreSQL refuses to run as root. Where we are root, it runs as `nobody`, which exists everywhere: nothing
is created on the machine.
"""

import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from accepted.stack.errors import Problem, cannot_write

# Reachable for everyone, on a disk, kept over a reboot. What we make there has a name of its own or is
# checked to be ours.
SHARED_TEMPORARY = Path("/var/tmp")  # noqa: S108


class PopenAs(TypedDict, total=False):
    """The arguments of subprocess.Popen that change who runs the command."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True)
class Account:
    """An account of this machine to run a server as."""

    name: str
    uid: int
    gid: int

    def popen(self) -> PopenAs:
        """What subprocess.Popen takes to run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> Account | None:
    """Whom PostgreSQL runs as: `nobody` where we are root, None (as ourselves) otherwise."""
    if os.geteuid() != 0:
        _require_a_name(os.geteuid())
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise Problem(
            "PostgreSQL cannot start",
            "it refuses to run as root, and this machine has no account `nobody`",
            "Run as an ordinary user.",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _require_a_name(uid: int) -> None:
    """`initdb` looks its user up, and a container may run as a number that no account has."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        why = f"it asks for the name of its user, and no account of this machine has the number {uid}"
        cure = "Run as a user who has one, or name a running server with DATABASE_URL."
        raise Problem("PostgreSQL cannot start", why, cure) from None


def popen_as(account: Account | None) -> PopenAs:
    """`account.popen()`, or nothing to change."""
    return account.popen() if account else {}


def data_home(preferred: Path, account: Account | None, run: str) -> Path:
    """A new folder, mode 700, that `account` owns: `preferred`, or one under /var/tmp where that account
    could not reach it.
    """
    try:
        home = preferred
        if account is None or _everyone_reaches(preferred.parent):
            home.mkdir(mode=0o700, parents=True)
        else:
            home = Path(tempfile.mkdtemp(prefix=f"accepted-{run}-", dir=SHARED_TEMPORARY))
        if account:
            os.chown(home, account.uid, account.gid)
        return home
    except OSError as error:
        raise cannot_write(error.filename or preferred, error) from error


def _everyone_reaches(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def is_ours(folder: Path, closed: int) -> bool:
    """Whether it is there, a folder, this user's, and gives others none of the permissions `closed` (such as 0o077)."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & closed


def tried(command: Sequence[str | Path], account: Account | None) -> str:
    """What `command` prints, run as `account`. OSError or subprocess.SubprocessError where it cannot run."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=15, cwd="/", **popen_as(account),
    )  # fmt: skip
    return done.stdout.strip()
