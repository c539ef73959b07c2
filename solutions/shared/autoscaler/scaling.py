"""The process `autoscaler`: looks, decides by the law, acts; one of several leads.

What it owns stands on top of the floor, which the Procfile runs. So where it is dead, blind, or switched off, the
system is the one with a fixed number of workers, and no worse.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from billing.db import engine
from billing.settings import settings

from .. import pools
from ..core import BrokerDown
from . import law, signals
from .core import POOLS, History, Limits, Replicas, Signals, Unreachable

log = structlog.get_logger(__name__)

# Of the session, not of a transaction: who leads does so until its connection ends, because its workers are its own.
_LEAD = text("SELECT pg_try_advisory_lock(7101, 3)")
_TELL = text("""
INSERT INTO scaling (pool, replicas, leaving, reason, ups, downs)
VALUES (:pool, :replicas, :leaving, :reason, :up, :down)
ON CONFLICT (pool) DO UPDATE SET at = clock_timestamp(), replicas = excluded.replicas, leaving = excluded.leaving,
    reason = excluded.reason, ups = scaling.ups + excluded.ups, downs = scaling.downs + excluded.downs
""")


@dataclass
class Pool:
    """One pool under the law."""

    name: str
    limits: Limits
    replicas: Replicas
    history: History = field(default_factory=History)

    def look(self, seen: Signals | None, now: float, busy: Mapping[str, int]) -> tuple[int, int, str]:
        """Decides and acts. Returns how many replicas there are now, the floor's among them, by how many that is more
        than before, and why."""
        before = self.limits.floor + self.replicas.working()
        decision, self.history = law.wanted(seen, before, now, self.limits, self.history)
        change = decision.replicas - before
        if change > 0:
            # The cap is for what is there: who goes still holds its connections.
            room = self.limits.cap - before - self.replicas.leaving()
            change = self.replicas.start(max(0, min(change, room)))
        elif change < 0:
            self.replicas.drain(-change, busy)
        if change:
            what = "scaled up" if change > 0 else "scaled down"
            log.info(what, pool=self.name, before=before, after=before + change, why=decision.reason)
        return before + change, change, decision.reason


class Lead:
    """The right to scale, and the connection that it hangs on. `begins` is called each time that it is had anew."""

    def __init__(self, begins: Callable[[], None]) -> None:
        self._connection: Connection | None = None
        self._begins = begins

    def session(self) -> Session | None:
        """For one look; None where another leads. Raises DBAPIError, PoolTimeout where Postgres is away."""
        if self._connection is None:
            connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                leads = connection.execute(_LEAD).scalar_one()
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            if not leads:
                connection.close()
                return None
            log.info("leads")
            self._connection = connection
            self._begins()
        return Session(self._connection)

    def close(self) -> None:
        """Another may lead."""
        if self._connection is not None:
            self._connection.invalidate()  # back in a pool it would hold the lock
            self._connection.close()
            self._connection = None


def limits_of(pool: str) -> Limits:
    """Raises ValueError where the floor is above the cap."""
    s = settings()
    floor, cap = (s.io_floor, s.io_cap) if pool == "io" else (s.cpu_floor, s.cpu_cap)
    if floor > cap:
        name = pool.upper()
        raise ValueError(f"{name}_FLOOR is {floor} and {name}_CAP is {cap}: set the cap to the floor, or higher.")
    return Limits(floor, cap, pools.slots(pool), s.autoscale_age, s.autoscale_cooldown, s.autoscale_step)


def actuator(mode: str) -> Callable[[str], Replicas]:
    """What starts and drains the workers of a pool. Its library is imported here, where it is wanted."""
    match mode:
        case "local":
            from .replicas import Local

            return Local
        case "docker":
            from .replicas_docker import Docker

            return Docker
        case _:
            from .replicas_print import PrintOnly

            return PrintOnly


def look(lead: Lead, scaled: list[Pool]) -> None:
    """One round over all pools. What can't be seen is no reason to change anything."""
    try:
        leading = lead.session()
        if leading is None:
            for pool in scaled:  # it led before, and its connection broke: two of them must not add up
                pool.replicas.drain(pool.replicas.working(), {})
            return
        with leading as s:
            seen: Mapping[str, Signals] = {}
            try:
                seen = signals.read(s)
            except BrokerDown as down:
                log.warning("the broker is down; nothing changes", why=str(down))
            busy = signals.busy(s)
            for pool in scaled:
                replicas, change, reason = pool.look(seen.get(pool.name), time.monotonic(), busy)
                told = {"pool": pool.name, "replicas": replicas, "leaving": pool.replicas.leaving(), "reason": reason}
                s.execute(_TELL, told | {"up": int(change > 0), "down": int(change < 0)})
    except (DBAPIError, PoolTimeout) as error:
        lead.close()
        log.warning("Postgres is away; nothing changes", why=type(error).__name__)
        for pool in scaled:
            pool.look(None, time.monotonic(), {})
    except Unreachable as error:
        log.warning("workers can be neither started nor drained", why=str(error))


def loop(stop: threading.Event) -> None:
    """Looks every AUTOSCALE_TICK until `stop` is set; then all that it started is drained, and waited for."""
    make = actuator(settings().autoscale)
    scaled = [Pool(name, limits_of(name), make(name)) for name in POOLS]

    def take_over() -> None:
        for pool in scaled:
            pool.replicas.take_over()

    lead = Lead(take_over)
    try:
        while not stop.wait(settings().autoscale_tick):
            look(lead, scaled)
    finally:
        lead.close()  # first: who comes next need not wait until the last job here is done
        for seconds in (0, settings().time_box + 60):  # all are told before anybody is waited for
            for pool in scaled:
                pool.replicas.close(seconds)
