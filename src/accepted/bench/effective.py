"""The settings under which it was measured, read back from the servers; a bench that cheats is no bench."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version

import psycopg
import redis
from kombu import Connection

from accepted.bench.measure import Invalid

MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")
LIBRARIES = (
    "flask",
    "gunicorn",
    "sqlalchemy",
    "psycopg",
    "redis",
    "rq",
    "celery",
    "kombu",
    "amqp",
    "procrastinate",
    "aiohttp",
)


def machine() -> dict[str, str]:
    """Cores, their load before we began, Python and the libraries."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cores": str(cores),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "machine": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        **{name: version(name) for name in LIBRARIES},
    }


def servers(env: Mapping[str, str]) -> dict[str, str]:
    """What PostgreSQL says on a connection like those of the measured processes, and the broker.

    Raises Invalid where a commit would not be a commit.
    """
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        found = {name: _shown(connection, name) for name in (*MUST_BE_ON, "server_version", "shared_buffers")}
    off = [name for name in MUST_BE_ON if found[name] != "on"]
    if off:
        raise Invalid(
            f"PostgreSQL has {', '.join(f'{name} = {found[name]}' for name in off)}: nothing here may be measured so"
        )
    found = {"postgresql": found.pop("server_version"), **found}
    url = env["BROKER_URL"]
    return found | (_rabbitmq(url) if url.startswith("amqp") else _redis(url))


def _redis(url: str) -> dict[str, str]:
    found = {}
    broker = redis.Redis.from_url(url, socket_timeout=5)
    try:
        found["redis"] = str(broker.info("server")["redis_version"])
        for name in ("appendonly", "appendfsync"):
            found[f"redis {name}"] = str(broker.config_get(name).get(name))
    except redis.ResponseError:  # a server that somebody else runs may not let us ask
        found["redis appendonly"] = "not told"
    finally:
        broker.close()
    return found


def _rabbitmq(url: str) -> dict[str, str]:
    with Connection(url, connect_timeout=5) as connection:
        return {"rabbitmq": str(connection.connection.server_properties["version"])}


def _shown(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else "?"
