"""Workers as containers: copies of the one that compose runs for the pool, made by the engine's own interface.

A container outlives the autoscaler that started it. So each carries a label, and who leads next finds them by it. To
drain is SIGTERM through the engine, once; the SIGKILL that `docker stop` sends after a while is not asked for. That one
was told to go stands in its name, because labels can't be changed.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import structlog
from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from billing.settings import settings

from .core import Unreachable

log = structlog.get_logger(__name__)

MINE, LEAVING = "accepted.replica", "leaving-"
PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
COPIED = ("Image", "Cmd", "Entrypoint", "Env", "User", "WorkingDir", "StopSignal")


class Docker:
    """The engine is the one that DOCKER_HOST names, else this machine's socket. Methods raise Unreachable."""

    def __init__(self, pool: str) -> None:
        self.pool = pool

    def take_over(self) -> None:
        """Labels tell whose they are."""

    def working(self) -> int:
        with _engine() as engine:
            return sum(not _leaves(one) for one in self._own(engine))

    def leaving(self) -> int:
        with _engine() as engine:
            return sum(_leaves(one) for one in self._own(engine))

    def start(self, count: int) -> int:
        with _engine() as engine:
            if (pattern := self._pattern(engine)) is None:
                return 0
            for _ in range(count):
                made = engine.api.create_container_from_config(_copy(pattern, self.pool))
                for name in list(pattern.attrs["NetworkSettings"]["Networks"])[1:]:
                    engine.networks.get(name).connect(made["Id"])
                engine.api.start(made["Id"])
        return count

    def drain(self, count: int, busy: Mapping[str, int]) -> None:
        """The least busy first; of those with as much to do, the youngest."""
        with _engine() as engine:
            there = [one for one in self._own(engine) if not _leaves(one)]
            there.sort(key=lambda one: str(one.attrs["Created"]), reverse=True)
            for one in sorted(there, key=lambda one: _jobs(one, busy))[:count]:
                one.rename(f"{LEAVING}{one.id[:12]}")
                one.kill(signal="SIGTERM")

    def close(self, seconds: float) -> None:
        """They work on; whoever leads next finds them."""

    def _own(self, engine: docker.DockerClient) -> list[Container]:
        found: list[Container] = engine.containers.list(filters={"label": f"{MINE}={_mark(self.pool)}"})
        return found

    def _pattern(self, engine: docker.DockerClient) -> Container | None:
        """The pool's container in the compose project that this process runs in."""
        project = engine.containers.get(socket.gethostname()).labels.get(PROJECT, "")
        service = f"{settings().backend}-worker-{self.pool}"
        for one in engine.containers.list(filters={"label": [f"{PROJECT}={project}", f"{SERVICE}={service}"]}):
            if MINE not in one.labels:
                return one
        log.error("no container to copy", pool=self.pool, service=service, project=project)
        return None


@contextmanager
def _engine() -> Iterator[docker.DockerClient]:
    try:
        engine = docker.from_env(timeout=20)
        try:
            yield engine
        finally:
            engine.close()
    except (DockerException, RequestException) as error:
        raise Unreachable(f"{type(error).__name__}: {str(error)[:200]}") from error


def _mark(pool: str) -> str:
    return f"{settings().backend}-{pool}"


def _copy(pattern: Container, pool: str) -> dict[str, Any]:
    """All that compose set for the pattern, its labels too: so `docker compose ps` and `down` know of the copies."""
    config, host = pattern.attrs["Config"], pattern.attrs["HostConfig"]
    return {
        **{name: config.get(name) for name in COPIED},
        "Labels": {**config["Labels"], MINE: _mark(pool)},
        "HostConfig": {**host, "RestartPolicy": {"Name": "no"}, "AutoRemove": True, "PortBindings": {}},
    }


def _leaves(one: Container) -> bool:
    return str(one.name).startswith(LEAVING)


def _jobs(one: Container, busy: Mapping[str, int]) -> int:
    """A container's processes know it by the beginning of its id, which is its host's name."""
    return sum(n for worker, n in busy.items() if worker.partition(":")[0] == one.id[:12])
