"""A run's servers and processes, written to state.json whenever one of them changes."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psutil

from accepted.stack.child import Child
from accepted.stack.given import GivenPostgres, GivenRabbitMQ, GivenRedis
from accepted.stack.health import Http, Port
from accepted.stack.postgres import Postgres
from accepted.stack.rabbitmq import RabbitMQ
from accepted.stack.redis import Redis
from accepted.stack.service import Service
from accepted.stack.state import OVER, Phase, Recorded, RunFolder, State
from accepted.stack.third_parties import NAMES

Server = Postgres | GivenPostgres | Redis | GivenRedis | RabbitMQ | GivenRabbitMQ


class Record:
    """Keeps the state.json of one run up to date. Safe to use from several threads."""

    def __init__(self, folder: RunFolder, run_id: str, tree: str | None, backend: str) -> None:
        self.folder = folder
        self.servers: list[Server] = []
        self.children: Callable[[], Sequence[Child]] = list
        self.urls: dict[str, str] = {}
        self.database: list[str] | None = None
        this = psutil.Process()
        began = this.create_time()
        self._lock = threading.Lock()
        self.state = State(folder.path.name, run_id, "booting", this.pid, began, time.time(), tree, backend)

    def phase(self, phase: Phase) -> None:
        """Enters a phase; a run that is over has no processes any more."""
        if phase in OVER:
            self.servers, self.children, self.database = [], list, None
        self._write(phase)

    def save(self) -> None:
        """Writes what is so now."""
        self._write(None)

    def _write(self, phase: Phase | None) -> None:
        found = recorded(self.servers, self.children())  # takes the runner's lock, so not while we hold ours
        folders = [str(server.home) for server in self.servers if isinstance(server, Service)]
        with self._lock:
            self.state = replace(
                self.state, phase=phase or self.state.phase, processes=found, folders=folders,
                urls=self.urls, database=self.database,
            )  # fmt: skip
            self.folder.save(self.state)


def recorded(servers: Sequence[Server], children: Sequence[Child]) -> list[Recorded]:
    """Servers first, then processes in the order of their start. A given server has no pid."""
    return [_server(server) for server in servers] + [_child(child) for child in children]


def _server(server: Server) -> Recorded:
    if not isinstance(server, Service):
        return Recorded(server.label, "server", None, None)
    return Recorded(server.label, "server", server.pid, server.started or None, server.port)


def _child(child: Child) -> Recorded:
    health = child.spec.health
    return Recorded(
        child.name,
        "third party" if child.name in NAMES else "process",
        child.pid,
        child.started,
        health.port if isinstance(health, Http | Port) else None,
        isinstance(health, Http),
        max(0, child.starts - 1),
    )
