"""A run: every server, third party and process of one tree, up together and gone together."""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from accepted.stack import databases, environment, ports, processes, procfile
from accepted.stack.child import Spec
from accepted.stack.errors import Problem
from accepted.stack.given import GivenPostgres, GivenRabbitMQ, GivenRedis
from accepted.stack.health import Alive, Health, Http
from accepted.stack.leftovers import end_recorded, prune
from accepted.stack.logs import Logs
from accepted.stack.memory import folder_in_memory
from accepted.stack.postgres import Postgres
from accepted.stack.rabbitmq import RabbitMQ
from accepted.stack.records import Record, Server
from accepted.stack.redis import Redis
from accepted.stack.runner import Runner
from accepted.stack.servers import choose_postgres, choose_rabbitmq, choose_redis
from accepted.stack.service import Service
from accepted.stack.state import Phase, RunFolder, State, require_name, root, runs_folder
from accepted.stack.tether import Tether
from accepted.stack.third_parties import NAMES, third_parties

UNNAMED = "run-"
Lines = Callable[[str, environment.Addresses], Mapping[str, str]]  # (process, where everything is) → its variables


class Stack:
    """`with Stack(tree=...) as stack:` boots everything and waits until it is healthy; leaving the block
    leaves nothing running.

    tree: folder with a Procfile; None: servers and third parties only, as with `processes=[]`.
    processes: names to start (None: all); `release` runs first in any case.
    scale: instances by process name. env: on top of the contract. seed: scale of `billing.seed`, or so many lines.
    fixed_ports: of `web` and `stream`; free ones otherwise. out: gets the merged log stream. lines: each process's
    own variables, where they differ from the others'. cwd: where they run; else in the repository around the tree.
    in_memory: the servers' data lies in memory where there is room, and on the disk otherwise.
    Raises Problem.
    """

    postgres: Postgres | GivenPostgres
    redis: Redis | GivenRedis
    rabbitmq: RabbitMQ | GivenRabbitMQ | None = None  # where the backend is celery-rabbitmq
    runner: Runner
    addresses: environment.Addresses

    def __init__(
        self, tree: Path | None = None, *, backend: str = "rq", processes: Sequence[str] | None = None,
        scale: Mapping[str, int] | None = None, env: Mapping[str, str] | None = None, name: str | None = None,
        seed: str | int | None = None, fixed_ports: Mapping[str, int] | None = None, runs: Path | None = None,
        out: TextIO | None = None, seconds: float = 60.0, grace: float = 10.0, lines: Lines | None = None,
        cwd: Path | None = None, in_memory: bool = False,
    ) -> None:  # fmt: skip
        self.name = name or f"{UNNAMED}{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        require_name(self.name)
        self.tree = tree.resolve() if tree and processes != [] else None
        self.backend, self.hint = environment.settle(backend, os.environ)
        self.seed, self.out, self.seconds, self.grace = seed, out, seconds, grace
        self.folder = RunFolder((runs or runs_folder()) / self.name)
        self.run_id = f"{self.name}-{secrets.token_hex(6)}"
        self.hurry = threading.Event()  # set it to cut short the grace at the end
        self._wanted = None if processes is None else list(processes)
        self._scale, self._extra, self._fixed = dict(scale or {}), dict(env or {}), dict(fixed_ports or {})
        self._cwd, self._in_memory = cwd, in_memory
        self._lines = lines or (lambda name, where: {})
        self._done = ExitStack()
        self._record = Record(self.folder, self.run_id, str(self.tree) if self.tree else None, self.backend)

    @property
    def env(self) -> dict[str, str]:
        """The environment of the tree's processes, to call the tree's commands with."""
        return dict(self.runner.env)

    def leaders(self) -> list[tuple[str, int | None]]:
        """Every process by name, the servers included, and its pid now; one that somebody else runs has none here."""
        servers = [("postgres", self.postgres), ("redis", self.redis), ("rabbitmq", self.rabbitmq)]
        ours = [(name, getattr(server, "pid", None)) for name, server in servers if server is not None]
        return [*((child.name, child.pid) for child in self.runner.children()), *ours]

    @property
    def state(self) -> State:
        """What is written in state.json."""
        return self._record.state

    def __enter__(self) -> Self:
        commands = self._commands()  # first whatever can be wrong with what was asked for
        if self.backend == "celery-rabbitmq" and (url := environment.given_rabbitmq(os.environ)):
            GivenRabbitMQ(url).ready()
        for which, port in self._fixed.items():
            ports.require_free(port, f"--{which}-port N")
        self.folder.claim()
        try:
            self._boot(commands)
        except BaseException:
            self._close("failed")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close("stopped")

    def wait(self, seconds: float | None = None) -> Problem | None:
        """Waits until something of the run is beyond help, and returns it; None: the time is over first."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            if self.runner.wait(0.2):
                return self.runner.failure
            for server in self._record.servers:
                if isinstance(server, Service) and server.lost:
                    return Problem(
                        f"{server.label} has ended",
                        "nobody here asked it to",
                        f"Its log is {server.log}.",
                        server.said(),
                    )
        return None

    def _commands(self) -> dict[str, str]:
        if self.tree is None:
            return {}
        commands = procfile.select(procfile.read(self.tree / "Procfile"), self._wanted, self.tree)
        for name, count in self._scale.items():
            if name not in commands:
                raise Problem(f"cannot scale {name}", f"the Procfile has {', '.join(commands)}", "Name one of these.")
            if count < 0:
                raise Problem(f"cannot scale {name} to {count}", "that is less than nothing", "Use 0 or more.")
        return commands

    def _boot(self, commands: Mapping[str, str]) -> None:
        self._clear_past()
        self._record.phase("booting")
        tether = Tether(self.run_id)
        self._done.callback(tether.release)
        self._done.callback(lambda: processes.kill(processes.members({}, {self.run_id})))
        logs = Logs(self.folder.logs, self.out, width=max(map(len, [*commands, *NAMES])))
        self._done.callback(logs.close)

        def note(line: str) -> None:
            logs.write("accepted", line)

        if self.hint:
            note(self.hint)
        # Everything that waits for nothing starts at once; then we wait for each.
        data = self.folder.path
        if self._in_memory:
            data = self._done.enter_context(folder_in_memory(self.name, tether, data))
        here = (data, self.folder.logs, tether, self.name)
        self.postgres = choose_postgres(*here, note)
        self._launch(self.postgres)
        self.redis = choose_redis(*here, note)
        self._launch(self.redis)
        if self.backend == "celery-rabbitmq":
            self.rabbitmq = choose_rabbitmq(*here)
            self._launch(self.rabbitmq)
        partner, store, web, stream = ports.free_ports(4)
        others = third_parties(self.folder.path, partner, store)
        cwd = self._cwd or (root(self.tree) if self.tree else root())
        self.runner = Runner(
            env=os.environ, cwd=cwd, logs=logs, tether=tether, grace=self.grace, on_change=self._record.save
        )
        self.runner.hurry = self.hurry
        self._record.children = self.runner.children
        self._done.callback(self.runner.close)
        own_store = "OBJECT_STORE_URL" not in os.environ
        for spec in (others.partner, others.store) if own_store else (others.partner,):
            self.runner.add(spec)
        self.runner.start()
        self.redis.ready(self.seconds)
        self.postgres.ready(self.seconds)
        if self.rabbitmq:
            self.rabbitmq.ready(self.seconds)
        broker = self.rabbitmq.url if self.rabbitmq else self.redis.url
        self.addresses = environment.Addresses(
            self._database(), self.redis.url, broker,
            others.store_url if own_store else os.environ["OBJECT_STORE_URL"], others.partner_url,
            self._fixed.get("web", web), self._fixed.get("stream", stream),
        )  # fmt: skip
        self._record.urls = self.addresses.urls()
        self.runner.env |= environment.contract(self.addresses, self.backend, self.tree) | self._extra
        self._record.phase("booting")
        if "release" in commands:
            self.runner.run_once(Spec("release", commands["release"]), self.seconds)
        if self.seed is not None:
            databases.fill(self.runner.env["DATABASE_URL"], self.seed, self.runner.env["PARTNER_URL"])
        for name, command in commands.items():
            if name != "release":
                own = self._lines(name, self.addresses)
                self.runner.add(Spec(name, command, health=self._health(name), env=own), self._scale.get(name, 1))
        self.runner.start()
        self.runner.wait_healthy(self.seconds)
        self._record.phase("up")

    def _launch(self, server: Server) -> None:
        self._done.callback(server.discard)
        self._done.callback(server.stop)
        self._record.servers.append(server)
        server.launch()

    def _health(self, name: str) -> Health:
        served = {"web": self.addresses.web_port, "stream": self.addresses.stream_port}
        return Http(served[name]) if name in served else Alive()

    def _database(self) -> str:
        """The fresh server's own database; on a server that is not ours one that is dropped at the end."""
        if not isinstance(self.postgres, GivenPostgres):
            return self.postgres.url
        name = f"accepted_{secrets.token_hex(6)}"
        self._record.database = [self.postgres.url, name]
        self._done.callback(databases.drop, self.postgres.url, name)
        return databases.create(self.postgres.url, name)

    def _clear_past(self) -> None:
        """What an earlier run of this name left."""
        past = self.folder.load()
        if past and not past.over:
            end_recorded(past)
        for path in self.folder.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        self.folder.logs.mkdir()
        if self.name.startswith(UNNAMED):
            prune(self.folder.path.parent, UNNAMED)

    def _close(self, last: Phase) -> None:
        try:
            self._record.phase("stopping")
            self._done.close()
            shutil.rmtree(self.folder.path / "objects", ignore_errors=True)
            self._record.phase(last)
        finally:
            self.folder.release()
