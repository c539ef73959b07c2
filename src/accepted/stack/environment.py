"""The environment that the contract promises to a tree's processes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from accepted.stack import ports
from accepted.stack.errors import Problem

BACKENDS = ("rq", "celery-redis", "celery-rabbitmq")


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


def broker_of(backend: str, redis_url: str, environ: Mapping[str, str]) -> str:
    """BROKER_URL of a backend. A Problem for an unknown one, and where RabbitMQ is not there."""
    if backend not in BACKENDS:
        raise Problem(f"no backend {backend}", f"there are {', '.join(BACKENDS)}", "Choose one of them with --backend.")
    if backend != "celery-rabbitmq":
        return redis_url
    url = environ.get("BROKER_URL", "")
    cure = "Set BROKER_URL=amqp://user:password@host:5672/vhost, or choose --backend rq."
    if not url.startswith("amqp"):
        raise Problem("RabbitMQ is not there", "no wheel brings it, and BROKER_URL names none", cure)
    parts = urlsplit(url)
    if parts.hostname in ("127.0.0.1", "localhost") and not ports.answers(parts.port or 5672):
        raise Problem("RabbitMQ is not there", f"nothing answers on {parts.hostname}:{parts.port or 5672}", cure)
    return url
