"""How much of what others own we take at once: their attention, and Postgres' connections.

A slot is a session advisory lock, so the semaphore is shared by every process that talks to the database and a
slot is free the moment its holder's connection dies. A semaphore in Redis would need slots that expire: too early
and the cap is broken while a call still runs, too late and every killed worker takes capacity with it; and the
broker may be wiped at any moment. A frozen holder keeps its slot, rightly: its call is still open at the partner.
"""

import random
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.db import DatabaseDown, engine
from billing.settings import settings

from .core import NotYet

LONGEST_WAIT = 1.5  # seconds; after that the worker is of more use elsewhere
POLL = (0.02, 0.08)  # seconds between two tries, drawn at random so that those who wait don't march in step
_random = random.Random()

# One row at a time, so that no more than one lock is taken: a LIMIT over a plain scan ends it at the first hit.
_TAKE = text("SELECT n FROM unnest(CAST(:order AS int[])) AS n WHERE pg_try_advisory_lock(:name, n) LIMIT 1")
_FREE = text("SELECT pg_advisory_unlock_all()")


@contextmanager
def slot(name: str) -> Iterator[None]:
    """Holds one of the PARTNER_CONCURRENCY slots of `name` during the block.

    Raises NotYet when none becomes free within a second or two, DatabaseDown where Postgres is away.
    """
    try:
        connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    except (DBAPIError, PoolTimeout) as error:
        raise DatabaseDown("no connection for a partner slot") from error
    try:
        _take(connection, name)
        yield
    finally:
        _free(connection)


def _take(connection: Connection, name: str) -> None:
    numbers = list(range(settings().partner_concurrency))
    give_up = time.monotonic() + LONGEST_WAIT
    while True:
        _random.shuffle(numbers)
        try:
            taken = connection.execute(_TAKE, {"order": numbers, "name": _lock_class(name)}).scalar()
        except DBAPIError as error:
            connection.invalidate()
            raise DatabaseDown("the connection broke while a partner slot was taken") from error
        if taken is not None:
            return
        if time.monotonic() >= give_up:
            raise NotYet(f"all {len(numbers)} slots of {name} are taken", delay=_random.uniform(0.2, 1.0))
        time.sleep(_random.uniform(*POLL))


def _free(connection: Connection) -> None:
    """Frees whatever this connection holds, also when a time-out struck between taking a slot and knowing of it."""
    try:
        connection.execute(_FREE)
    except BaseException as error:
        # What the call did stands, whatever becomes of this connection; closing it frees the slot as well.
        connection.invalidate()
        if not isinstance(error, DBAPIError):
            raise
    finally:
        connection.close()


def _lock_class(name: str) -> int:
    """A signed 32-bit number for the name, the same in every process."""
    return zlib.crc32(f"slot:{name}".encode()) - 2**31


# Connections that one operating-system process of each kind holds at most; its engine is limited to this number.
# A worker: the transaction around its effect, the renewal of its lease, the slot at the partner. Reports call no
# partner. The stream: its tail reader, and two for clients that connect.
_CONNECTIONS = {
    "web": 0,  # one for each thread, see below
    "stream": 3,
    "relay": 2,
    "scheduler": 3,
    "worker-io": 3,
    "worker-cpu": 2,
    "autoscaler": 1,
    "release": 2,
    "ops": 3,  # it can run a job in eager mode, and then it is a worker
}


def connections(process: str) -> int:
    """How many database connections one process of this Procfile name may hold."""
    if process not in _CONNECTIONS:
        raise ValueError(f"There is no process {process!r}; there are {', '.join(sorted(_CONNECTIONS))}.")
    return settings().web_threads if process == "web" else _CONNECTIONS[process]


def processes(name: str) -> int:
    """How many operating-system processes one Procfile line comes to with these settings."""
    s = settings()
    return {"web": s.web_workers, "worker-io": s.io_slots, "worker-cpu": s.cpu_slots}.get(name, 1)


def total_connections(lines: dict[str, int]) -> int:
    """The most connections that a Procfile holds; `lines` = how many of each line run, e.g. {"web": 1}."""
    return sum(count * processes(name) * connections(name) for name, count in lines.items())
