"""Workers as processes of this machine: started by this process, drained by it, and gone with it.

To drain is SIGTERM, once: RQ and Celery both end warmly by it, and take no more jobs while they finish what they have.
A second signal would be heard as "now" by some; SIGKILL comes only to who is still there when every job's time box is
over long since, and so has nothing at hand but a fault.

Where this process dies, the kernel tells its workers to go (`parent`). Who leads next starts its own, and counts those
until they have gone: the cap is the database's, whoever started them.
"""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

import psutil
import structlog

from billing.settings import settings

log = structlog.get_logger(__name__)

MARK = "REPLICA_OF"  # in their environment, so that they are known whoever their parent is
TOO_SOON = 5.0  # s: who ends by itself within these did not get to work
LONGEST_PAUSE = 30.0  # s
MARGIN = 30.0  # s beyond the time box


class Local:
    """`python -m app replica io`, as often as it takes. Only the thread that made it may use it."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self._working: dict[subprocess.Popen[bytes], float] = {}  # when each began, s of the monotonic clock
        self._leaving: dict[subprocess.Popen[bytes], float] = {}  # when each was told to go
        self._others: list[psutil.Process] = []  # another's, who leads no more
        self._failures, self._not_before = 0, 0.0
        database = hashlib.sha256(settings().database_url.encode()).hexdigest()[:16]
        self._mark = f"{pool}@{database}"

    def take_over(self) -> None:
        own = {one.pid for one in (*self._working, *self._leaving)}
        marked = [one for one in psutil.process_iter() if one.pid not in own and _mark(one) == self._mark]
        pids = {one.pid for one in marked}
        self._others = [one for one in marked if one.ppid() not in pids | own]  # not their children
        if self._others:
            log.info("another's replicas are still there", pool=self.pool, count=len(self._others))

    def working(self) -> int:
        self._reap()
        return len(self._working)

    def leaving(self) -> int:
        self._reap()
        return len(self._leaving) + len(self._others)

    def start(self, count: int) -> int:
        now = time.monotonic()
        if now < self._not_before:
            return 0
        command = [sys.executable, "-m", "app", "replica", self.pool, str(os.getpid())]
        env = os.environ | {MARK: self._mark}
        for _ in range(count):
            # A group of its own: Ctrl-C is for us, and we tell it, once. In our session: who ends that ends it too.
            one = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, process_group=0)
            self._working[one] = now
        return count

    def drain(self, count: int, busy: Mapping[str, int]) -> None:
        """The least busy first; of those with as much to do, the youngest."""
        self._reap()
        jobs = {one: _jobs(one.pid, busy) for one in self._working}
        for one in sorted(self._working, key=lambda one: (jobs[one], -self._working[one]))[:count]:
            del self._working[one]
            self._leaving[one] = time.monotonic()
            one.terminate()

    def close(self, seconds: float) -> None:
        self.drain(len(self._working), {})
        deadline = time.monotonic() + seconds
        while self._leaving and time.monotonic() < deadline:
            time.sleep(0.05)
            self._reap()

    def _reap(self) -> None:
        now = time.monotonic()
        self._others = [one for one in self._others if _lives(one)]
        for one, began in list(self._working.items()):
            if one.poll() is not None:
                del self._working[one]
                self._ended(one, now - began)
        for one, told in list(self._leaving.items()):
            if one.poll() is not None:
                del self._leaving[one]
            elif now - told > settings().time_box + MARGIN:
                log.error("killed: it was told to go, and every time box is over", pool=self.pool, worker=one.pid)
                for each in _tree(one.pid):
                    each.kill()

    def _ended(self, one: subprocess.Popen[bytes], after: float) -> None:
        """The next look starts another, but not in a circle."""
        self._failures = self._failures + 1 if after < TOO_SOON else 0
        pause = min(LONGEST_PAUSE, 2.0**self._failures) if self._failures else 0.0
        self._not_before = time.monotonic() + pause
        log.warning("a replica ended by itself", pool=self.pool, worker=one.pid, status=one.returncode, pause=pause)


def _jobs(pid: int, busy: Mapping[str, int]) -> int:
    host = socket.gethostname()
    return sum(busy.get(f"{host}:{each.pid}", 0) for each in _tree(pid))


def _tree(pid: int) -> list[psutil.Process]:
    """A worker and its children; the library's, such as Celery's, hold the jobs."""
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _mark(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
