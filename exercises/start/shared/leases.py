"""Renews the leases of the jobs that this process works on, from one thread beside the work.

A process that is killed or frozen renews nothing, and that is the point: the reaper sees the lease end.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from billing.db import DatabaseDown, unit
from billing.settings import settings

from . import claims
from .core import Claim, LostLease

log = structlog.get_logger(__name__)


class _Renewer:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.claims: dict[int, Claim] = {}
        self.period = settings().lease / 3  # read here: a thread with nothing to renew asks for nothing
        self.lock = threading.Lock()
        threading.Thread(target=self._run, name="lease-renewal", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self.period)
            with self.lock:
                due = list(self.claims.values())
            for claim in due:
                try:
                    with unit() as s:
                        claims.renew(s, claim)
                except LostLease as lost:
                    log.warning("lease lost", job_id=str(claim.job.id), why=str(lost))
                    self.forget(claim)
                except DatabaseDown as down:
                    log.warning("lease not renewed", job_id=str(claim.job.id), why=str(down))
                except Exception as error:  # a lock not had in time, say: this thread must outlive it
                    log.error("lease not renewed", job_id=str(claim.job.id), exc_info=error)

    def forget(self, claim: Claim) -> None:
        with self.lock:
            self.claims.pop(id(claim), None)


_renewer: _Renewer | None = None


@contextmanager
def kept(claim: Claim) -> Iterator[None]:
    """While the block runs, the claim's lease is renewed every third of its length."""
    global _renewer
    if _renewer is None or _renewer.pid != os.getpid():  # a thread does not survive a fork
        _renewer = _Renewer()
    renewer = _renewer
    with renewer.lock:
        renewer.claims[id(claim)] = claim
    try:
        yield
    finally:
        renewer.forget(claim)
