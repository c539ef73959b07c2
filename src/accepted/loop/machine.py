"""What this machine has of what the kit needs: a finding for each, with the one command that cures it."""

import errno
import os
import platform
import resource
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from accepted.stack import ports
from accepted.stack.account import server_account
from accepted.stack.binaries import find_postgres, find_redis
from accepted.stack.environment import given_rabbitmq
from accepted.stack.errors import Problem
from accepted.stack.rabbitmq import find_rabbitmq

GIB = 1024**3
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALLERS = {"apt-get": "sudo apt-get install {}", "dnf": "sudo dnf install {}", "brew": "brew install {}"}


@dataclass(frozen=True)
class Finding:
    """`status`: missing is needed and not there, optional is not there and only some things want it. `cure`: the one
    command, or what to do."""

    name: str
    status: Literal["ok", "missing", "optional"]
    found: str
    cure: str = ""


def findings(backend: str, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """All of them, whatever each comes to."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("system", _system), ("Python", _python), ("make", _make), ("git", _git), ("grader", _grader),
        ("PostgreSQL", lambda: _postgres(environ)), ("Redis", lambda: _redis(environ)),
        ("RabbitMQ", lambda: _rabbitmq(backend, environ)), ("ports", _ports), ("disk", _disk), ("memory", _memory),
        ("open files", _open_files), ("writable", _writable), ("screen", _screen), ("Chromium", _chromium),
    ]  # fmt: skip
    return [_looked(name, each) for name, each in looks]


def _looked(name: str, each: Callable[[], Finding]) -> Finding:
    try:
        return each()
    except Problem as problem:
        return Finding(name, "missing", f"{problem.what}: {problem.why}", problem.cure)
    except (OSError, psutil.Error, ValueError) as error:
        return Finding(name, "missing", f"could not be looked at: {error}", "Mend what it names; then again.")


def _install(package: str) -> str:
    for program, command in INSTALLERS.items():
        if shutil.which(program):
            return command.format(package)
    return f"install {package}"


def _system() -> Finding:
    name = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if platform.system() not in ("Linux", "Darwin"):
        return Finding("system", "missing", name, "wsl --install (and run it inside)")
    tested = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    return Finding("system", "ok", name if tested else f"{name} (Linux x86-64 is where it is tested)")


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")  # too old a one never comes here


def _make() -> Finding:
    return _program("make", "make", "missing")


def _git() -> Finding:
    return _program("git", "git", "optional")


def _program(name: str, package: str, otherwise: Literal["missing", "optional"]) -> Finding:
    if where := shutil.which(name):
        return Finding(name, "ok", where)
    return Finding(name, otherwise, "not on the PATH", _install(package))


def _grader() -> Finding:
    if find_spec("pytest") is None:
        return Finding(
            "grader", "missing", "pytest, on which the checks run, is not installed", "make .venv/.ready-dev"
        )
    return Finding("grader", "ok", "pytest is installed")


def _postgres(environ: Mapping[str, str]) -> Finding:
    only = environ.get("ACCEPTED_POSTGRES") or None
    if environ.get("DATABASE_URL") and only is None:
        return Finding("PostgreSQL", "ok", "the one that DATABASE_URL names")
    server = find_postgres(server_account(), lambda text: None, only)
    return Finding("PostgreSQL", "ok", f"{server.version}, {server.directory}")


def _redis(environ: Mapping[str, str]) -> Finding:
    only = environ.get("ACCEPTED_REDIS") or None
    if environ.get("REDIS_URL") and only is None:
        return Finding("Redis", "ok", "the one that REDIS_URL names")
    server = find_redis(lambda text: None, only)
    return Finding("Redis", "ok", f"{server.version}, {server.directory}")


def _rabbitmq(backend: str, environ: Mapping[str, str]) -> Finding:
    if given_rabbitmq(environ):
        return Finding("RabbitMQ", "ok", "the one that BROKER_URL names")
    if scripts := find_rabbitmq():
        return Finding("RabbitMQ", "ok", str(scripts))
    needed = backend == "celery-rabbitmq"
    why = "not installed, and your tree is for it" if needed else "not installed; only BACKEND=celery-rabbitmq wants it"
    return Finding("RabbitMQ", "missing" if needed else "optional", why, "make rabbitmq")


def _ports() -> Finding:
    ports.free_ports(16)
    return Finding("ports", "ok", f"free ones on 127.0.0.1 between {ports.LOWEST} and {ports.HIGHEST}")


def _disk() -> Finding:
    low = {str(path): free for path in {Path.cwd(), Path(tempfile.gettempdir())}
           if (free := shutil.disk_usage(path).free / GIB) < 1}  # fmt: skip
    if low:
        where, free = next(iter(low.items()))
        return Finding(
            "disk",
            "missing",
            f"{free:.1f} GiB free in {where}, and a run takes up to 1",
            f"free some of it: du -sh {shlex.quote(where)}/* | sort -h",
        )
    return Finding("disk", "ok", f"{shutil.disk_usage(Path.cwd()).free / GIB:.0f} GiB free here")


def _memory() -> Finding:
    free = psutil.virtual_memory().available / GIB
    if free < 1:
        return Finding(
            "memory", "optional", f"{free:.1f} GiB free; gradings want 1, or they are slow", "close something"
        )
    return Finding("memory", "ok", f"{free:.1f} GiB free")


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 1024:
        return Finding("open files", "missing", f"a process may have {soft}, and needs 1024", "ulimit -n 4096")
    return Finding("open files", "ok", "as many as you like" if soft == resource.RLIM_INFINITY else f"{soft} a process")


def _writable() -> Finding:
    elsewhere = "mkdir -p ~/tmp && export TMPDIR=~/tmp"
    try:
        temporary = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Finding("writable", "missing", "there is no folder for temporary files", elsewhere)
    for folder in (Path.cwd(), temporary):
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            cure = elsewhere if folder == temporary else _to_write(folder, error)
            return Finding("writable", "missing", f"{folder}: {error.strerror}", cure)
    return Finding("writable", "ok", f"{Path.cwd()} and {temporary}")


def _to_write(folder: Path, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid():
        return f'sudo chown "$USER" {shlex.quote(str(folder))}'
    return "cd to a folder on another file system: this one takes no files"


def _screen() -> Finding:
    if "utf" not in (sys.stdout.encoding or "").lower():
        return Finding("screen", "missing", f"it speaks {sys.stdout.encoding}, and lines have ✓ in them",
                       "export PYTHONUTF8=1")  # fmt: skip
    return Finding("screen", "ok", f"{sys.stdout.encoding}{', a terminal' if sys.stdout.isatty() else ''}")


def _chromium() -> Finding:
    if where := next(filter(None, map(shutil.which, BROWSERS)), None):
        return Finding("Chromium", "ok", where)
    return Finding("Chromium", "optional", "not installed; only the tests of the client page want it",
                   _install("chromium"))  # fmt: skip
