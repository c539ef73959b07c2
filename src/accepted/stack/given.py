"""Servers that someone else runs, named by DATABASE_URL, REDIS_URL and BROKER_URL: used as they are, never stopped."""

from pathlib import Path

import redis

from accepted.stack import databases
from accepted.stack.errors import Problem
from accepted.stack.rabbitmq import why_not
from accepted.stack.redis import client


class Given:
    """What a server of ours can do, for one that is not ours to start or to break."""

    label: str
    setting: str
    pid: int | None = None
    started = 0.0
    log: Path | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def launch(self) -> None:
        """Nothing to start."""

    def stop(self, seconds: float = 10.0) -> None:
        """Not ours to stop."""

    def discard(self) -> None:
        """Not ours to remove."""

    def kill(self) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("killed")

    def restart(self, immediate: bool = False, seconds: float = 30.0) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("restarted")

    def freeze(self) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("frozen")

    def thaw(self) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("thawed")

    def _not_ours(self, what: str) -> Problem:
        why = f"{self.setting} names a server that someone else runs"
        return Problem(f"{self.label} is not {what}", why, f"Unset {self.setting} to get a server of our own.")


class GivenPostgres(Given):
    """The server at DATABASE_URL."""

    label, setting = "PostgreSQL", "DATABASE_URL"

    def ready(self, seconds: float = 30.0) -> None:
        """A Problem where it does not answer, or is too old."""
        databases.require_server(self.url)


class GivenRedis(Given):
    """The server at REDIS_URL."""

    label, setting = "Redis", "REDIS_URL"

    def ready(self, seconds: float = 30.0) -> None:
        """A Problem where it does not answer, or is too old."""
        try:
            with client(self.url) as connection:
                version = str(connection.info("server")["redis_version"])
        except (redis.RedisError, ValueError) as error:
            raise Problem(
                "REDIS_URL does not work", str(error), "Mend it, or unset it to get a server of our own."
            ) from error
        if tuple(int(part) for part in version.split(".")[:2]) < (6, 2):
            why = f"that server is {version}, and 6.2 is the oldest that works"
            raise Problem("REDIS_URL does not work", why, "Name a newer one, or unset it to get a server of our own.")

    def wipe(self) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("wiped")


class GivenRabbitMQ(Given):
    """The server and vhost at BROKER_URL. Queues there have fixed names, so every run needs a vhost of its own."""

    label, setting = "RabbitMQ", "BROKER_URL"

    def ready(self, seconds: float = 30.0) -> None:
        """A Problem where it does not answer, or does not let us in."""
        if why := why_not(self.url):
            raise Problem("BROKER_URL does not work", why, "Mend it, or unset it to get a server of our own.")

    def wipe(self) -> None:
        """A Problem: faults need a server of our own."""
        raise self._not_ours("wiped")
