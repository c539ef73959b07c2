"""Which PostgreSQL, Redis and RabbitMQ a run gets: a URL in the environment, else the PATH, else the wheel (of
RabbitMQ there is none)."""

import os
from collections.abc import Mapping
from pathlib import Path

from accepted.stack.account import server_account
from accepted.stack.binaries import Note, find_postgres, find_redis
from accepted.stack.environment import given_rabbitmq
from accepted.stack.errors import Problem
from accepted.stack.given import GivenPostgres, GivenRabbitMQ, GivenRedis
from accepted.stack.postgres import Postgres
from accepted.stack.rabbitmq import RabbitMQ, find_rabbitmq
from accepted.stack.redis import Redis
from accepted.stack.tether import Tether


def choose_postgres(
    folder: Path, logs: Path, tether: Tether, run: str, note: Note, environ: Mapping[str, str] = os.environ
) -> Postgres | GivenPostgres:
    """A server not started yet.

    `folder` is where its data may go, `run` a word for names; `note` hears what was passed over.
    """
    only = environ.get("ACCEPTED_POSTGRES") or None
    if (url := environ.get("DATABASE_URL")) and only is None:
        return GivenPostgres(url)
    account = server_account()
    found = find_postgres(account, note, only)
    return Postgres(found, folder / "postgres", logs / "postgres.log", tether, run, account)


def choose_redis(
    folder: Path, logs: Path, tether: Tether, run: str, note: Note, environ: Mapping[str, str] = os.environ
) -> Redis | GivenRedis:
    """A server not started yet."""
    only = environ.get("ACCEPTED_REDIS") or None
    if (url := environ.get("REDIS_URL")) and only is None:
        return GivenRedis(url)
    return Redis(find_redis(note, only), folder / "redis", logs / "redis.log", tether, run)


def choose_rabbitmq(
    folder: Path, logs: Path, tether: Tether, run: str, environ: Mapping[str, str] = os.environ
) -> RabbitMQ | GivenRabbitMQ:
    """A server not started yet."""
    if url := given_rabbitmq(environ):
        return GivenRabbitMQ(url)
    if (scripts := find_rabbitmq()) is None:
        raise Problem("RabbitMQ is not there", "it is not installed", "Install it with: make rabbitmq")
    return RabbitMQ(scripts, folder / "rabbitmq", logs / "rabbitmq.log", tether, run)
