"""The environment that the contract promises to a tree's processes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accepted.stack.errors import Problem
from accepted.stack.rabbitmq import find_rabbitmq

BACKENDS = ("rq", "celery-redis", "celery-rabbitmq")
CHOICES = (*BACKENDS, "celery")


@dataclass(frozen=True)
class Addresses:
    """Where everything of a run is. `broker` differs from `redis` where the backend brings its own."""

    database: str
    redis: str
    broker: str
    object_store: str
    partner: str
    web_port: int
    stream_port: int

    @property
    def web(self) -> str:
        """The web process as clients see it."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def stream(self) -> str:
        """The event streams as clients see them."""
        return f"http://127.0.0.1:{self.stream_port}"

    def urls(self) -> dict[str, str]:
        """All of them by name, as state.json and `accepted status` have them."""
        return {
            "web": self.web,
            "stream": self.stream,
            "partner": self.partner,
            "database": self.database,
            "redis": self.redis,
            "broker": self.broker,
            "object_store": self.object_store,
        }


def contract(where: Addresses, backend: str, tree: Path | None) -> dict[str, str]:
    """Every variable that names a place or a key, with a new signing key.

    Timings and sizes keep their defaults.
    """
    return {
        "DATABASE_URL": where.database,
        "REDIS_URL": where.redis,
        "BROKER_URL": where.broker,
        "OBJECT_STORE_URL": where.object_store,
        "PARTNER_URL": where.partner,
        "EMAIL_URL": where.partner,
        "BACKEND": backend,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "HOST": "127.0.0.1",
        "PORT": str(where.web_port),
        "STREAM_PORT": str(where.stream_port),
        "PUBLIC_URL": where.web,
        "STREAM_URL": where.stream,
    } | ({"TREE": str(tree)} if tree else {})


def settle(backend: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The backend that is meant, and what a person should hear of it.

    `celery` alone means RabbitMQ where it can be had, else Redis. A Problem for an unknown one, and where RabbitMQ
    was asked for by name and is not there.
    """
    if backend == "celery":
        if has_rabbitmq(environ):
            return "celery-rabbitmq", None
        return "celery-redis", "RabbitMQ is not there, so Celery takes Redis; `make rabbitmq` installs it"
    if backend not in BACKENDS:
        names = ", ".join(CHOICES)
        raise Problem(f"no backend {backend}", f"there are {names}", "Choose one of them with BACKEND or --backend.")
    if backend == "celery-rabbitmq" and not has_rabbitmq(environ):
        raise Problem(
            "RabbitMQ is not there",
            "no wheel brings it, none is installed, and BROKER_URL names none",
            "Install it with `make rabbitmq`, name one with BROKER_URL=amqp://user:password@host:5672/vhost, or choose "
            "celery-redis.",
        )
    return backend, None


def has_rabbitmq(environ: Mapping[str, str]) -> bool:
    """Whether a URL names one, or one is installed."""
    return given_rabbitmq(environ) is not None or find_rabbitmq() is not None


def given_rabbitmq(environ: Mapping[str, str]) -> str | None:
    """BROKER_URL, where it names a RabbitMQ."""
    url = environ.get("BROKER_URL", "")
    return url if url.startswith("amqp") else None
