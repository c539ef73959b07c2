"""Redis of our own: append-only file, one folder, 127.0.0.1 only."""

import contextlib
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import redis

from accepted.stack.account import data_home
from accepted.stack.binaries import Binaries
from accepted.stack.service import Service
from accepted.stack.tether import Tether


class Redis(Service):
    """A server with a fresh data folder, which `stop` leaves and `discard` removes."""

    label = "Redis"
    stop_signal = signal.SIGTERM

    def __init__(self, binaries: Binaries, home: Path, log: Path, tether: Tether, run: str) -> None:
        super().__init__(log, tether)
        self.binaries = binaries
        # Who may write to a broker may have work done by its workers, and a machine may have other users.
        self._password = secrets.token_urlsafe(18)
        self.home = data_home(home, None, run)
        tether.hold_folder(self.home)

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": f'"{self.home}"',
            "requirepass": self._password,  # in the file, because everyone may read a command line
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        file = self.home / "redis.conf"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        return [str(self.binaries.directory / "redis-server"), str(file)]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), client(self.url) as connection:
            return bool(connection.ping())
        return False

    def wipe(self) -> None:
        """Forgets everything, as a broker without persistence does when it crashes: all data gone, all
        connections cut.
        """
        self.kill()
        for path in self.home.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.restart()


@contextlib.contextmanager
def client(url: str) -> Iterator["redis.Redis"]:
    """A connection that gives up soon and is closed at the end of the block."""
    connection = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def flush(url: str) -> None:
    """Empties every database of that server."""
    with client(url) as connection:
        connection.flushall()
