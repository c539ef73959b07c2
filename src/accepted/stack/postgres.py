"""PostgreSQL of our own: fsync on, one folder, 127.0.0.1 only."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from accepted.stack import databases, processes
from accepted.stack.account import Account, data_home
from accepted.stack.binaries import Binaries
from accepted.stack.errors import Problem
from accepted.stack.prepared import Prepared
from accepted.stack.service import Service
from accepted.stack.tether import Tether

ROLE = "accepted"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # What a commit promises is what this product is about: never off, not even for a faster test.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "max_wal_size": "2GB",
}

INITDB = ("-U", ROLE, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
          "--no-sync")  # worth nothing before the first start, whose checkpoint syncs  # fmt: skip


class Postgres(Service):
    """A server with a fresh data folder, which `stop` leaves and `discard` removes."""

    label = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast: open sessions are ended, the data is brought to rest
    orphan_signal = signal.SIGQUIT  # immediate, but it takes its shared memory along

    def __init__(
        self,
        binaries: Binaries,
        home: Path,
        log: Path,
        tether: Tether,
        run: str,
        account: Account | None = None,
    ) -> None:
        super().__init__(log, tether, account=account)
        self.binaries = binaries
        self._password = secrets.token_urlsafe(18)
        self.home = data_home(home, account, run)
        tether.hold_folder(self.home)
        self._initdb: subprocess.Popen[bytes] | None = None
        self._copying: Future[str] | None = None
        self._prepared = Prepared(binaries.directory, INITDB)

    @property
    def url(self) -> str:
        """A URL of the server's own database, as its superuser."""
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self.port}/postgres"

    def command(self) -> Sequence[str]:
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return [
            str(self.binaries.directory / "postgres"),
            "-D",
            str(self.home / "data"),
            "-p",
            str(self.port),
            *options,
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.home)}

    def answers(self) -> bool:
        return databases.serves(self.url)

    def launch(self) -> None:
        """The first time it only begins to make the data folder; `ready` goes on from there."""
        data = self.home / "data"
        if (data / "postgresql.conf").exists():
            super().launch()
        elif self._prepared.there:
            self._copying = ThreadPoolExecutor(1).submit(self._prepared.copy, data, self.account)
        else:
            self._initdb = self._begin_initdb(data)

    def _begin_initdb(self, data: Path) -> subprocess.Popen[bytes]:
        password = self.home / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        if self.account:
            shutil.chown(password, self.account.uid, self.account.gid)
        initdb = str(self.binaries.directory / "initdb")
        return self.spawn([initdb, "-D", str(data), f"--pwfile={password}", *INITDB])

    def ready(self, seconds: float = 120.0) -> None:
        if self._copying is not None:
            self._password = self._copying.result()
            self._copying = None
            super().launch()
        if self._initdb is not None:
            try:
                code = self._initdb.wait(seconds)
            except subprocess.TimeoutExpired:
                raise Problem(
                    "PostgreSQL did not start",
                    f"initdb took longer than {seconds:g} s",
                    f"Its log is {self.log}.",
                ) from None
            if code != 0:
                raise Problem(
                    "PostgreSQL did not start",
                    f"initdb ended with status {code}",
                    f"Its log is {self.log}.",
                    self.said(),
                )
            self._initdb = None
            (self.home / "password").unlink()
            self._prepared.keep(self.home / "data", self._password)
            super().launch()
        super().ready(seconds)

    def stop(self, seconds: float = 10.0) -> None:
        if self._copying is not None:
            wait([self._copying])
        if self._initdb is not None:
            self._initdb.kill()
            self._initdb.wait(10)
            processes.kill(processes.members({self._initdb.pid: 0.0}))
        super().stop(seconds)
