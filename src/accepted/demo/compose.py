"""The story's system as containers: docker-compose.yml, under a project name and on ports of its own."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from billing.settings import Settings

from ..stack import ports
from ..stack.environment import BACKENDS
from ..stack.errors import Problem
from ..stack.interrupts import Interrupts
from ..stack.state import root
from .place import FLASK, OPS, pid_of, printed

FILES = ("docker-compose.yml", "deploy/compose/demo.yml")
BUILD, BOOT, SEED, DOWN = 1800.0, 300.0, 600.0, 180.0  # seconds

# Inside the container; its own /proc says when the process stands still.
_FREEZE = (
    'kill -STOP "$1"; for n in $(seq 200); do grep -q "^State:.T" "/proc/$1/status" && exit 0; sleep 0.02; done; exit 1'
)


class Compose:
    """A Place. `say` hears what takes long. Raises Problem where no engine answers, or something does not come up."""

    freezing = 2.0  # a command in a container takes a few tenths

    def __init__(self, tree: Path, backend: str, timings: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._root = root()
        if tree.resolve() != self._root / "solutions":
            cure = "Leave --tree out, or play it on this machine: STACK=local"
            raise Problem(f"{tree} can't be shown in containers", "the image holds solutions/ only", cure)
        self.hint: str | None = None
        self.backend = "celery-rabbitmq" if backend == "celery" else backend
        if self.backend not in BACKENDS:
            raise Problem(f"no backend {backend}", f"there are {', '.join(BACKENDS)}", "Choose one with --backend.")
        self.project = f"accepted-demo-{secrets.token_hex(4)}"
        self._say = say
        web, stream, self._store = ports.free_ports(3)
        self._env = environment(os.environ) | dict(timings)
        self._env |= {"WEB_PORT": str(web), "STREAM_PORT": str(stream), "STORE_PORT": str(self._store)}
        self._env["SEED_SCALE"] = "medium"
        self.web = f"http://127.0.0.1:{web}"
        self._done = ExitStack()

    def __enter__(self) -> Self:
        require_engine()
        known = require_secrets(self._root / ".env")
        public = f"http://127.0.0.1:{self._store}"
        self._env["ARTIFACTS_URL"] = f"http://store:9000/artifacts?secret={known['STORE_SECRET']}&public={public}"
        files = [part for file in FILES for part in ("-f", str(self._root / file))]
        self._compose = [*program(), "-p", self.project, *files, "--profile", self.backend, "--profile", "demo"]
        with ExitStack() as undo:
            undo.enter_context(Interrupts())
            self._say("building the image, which takes a minute or two the first time")
            self._run("build", "release", seconds=BUILD)
            undo.callback(self._leave_nothing)
            self._run("up", "-d", seconds=BOOT)
            self._run("run", "--rm", "-T", "seed", seconds=SEED)
            self.partner = f"http://{self._published('partner', 9100)}"
            address = self._published("postgres", 5432)
            self.database = f"postgresql://accepted:{quote(known['POSTGRES_PASSWORD'])}@{address}/accepted"
            self._done = undo.pop_all()
        count = len(self._ids("ps", "-q"))
        self.up = f"{count} containers of project {self.project}, {self.backend}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._say(f"what the containers said is in {self._keep_logs()}")
        self._done.close()

    def ops(self, *arguments: str) -> str:
        command = [*self._compose, "exec", "-T", f"{self.backend}-web", "python", *FLASK, *arguments]
        return printed(self._call(command, OPS), arguments)

    def freeze(self, worker: str) -> None:
        self._signal(worker, _FREEZE)

    def kill(self, worker: str) -> None:
        self._signal(worker, 'kill -KILL "$1"')

    def _signal(self, worker: str, script: str) -> None:
        """The worker's host name is its container's id."""
        container = worker.rpartition(":")[0]
        done = self._call(["docker", "exec", container, "sh", "-c", script, "sh", str(pid_of(worker))], 15)
        if done.returncode != 0:
            raise RuntimeError(f"worker {worker} could not be reached in its container: {done.stderr[-400:]}")

    def _published(self, service: str, port: int) -> str:
        return self._run("port", service, str(port), seconds=30).strip()

    def _leave_nothing(self) -> None:
        """Containers, networks and volumes go; the image stays, so that the next time is quick."""
        self._run("down", "--volumes", "--remove-orphans", seconds=DOWN)
        left = [*self._ids("ps", "-aq"), *self._ids("volume", "ls", "-q"), *self._ids("network", "ls", "-q")]
        if left:
            cure = f"Remove them by hand: they carry the label com.docker.compose.project={self.project}"
            raise Problem(f"{len(left)} things of {self.project} are left", "compose did not remove them", cure, left)

    def _ids(self, *listing: str) -> list[str]:
        label = f"label=com.docker.compose.project={self.project}"
        return self._call(["docker", *listing, "--filter", label], 30).stdout.split()

    def _run(self, *arguments: str, seconds: float) -> str:
        """A command of compose, to its end."""
        done = self._call([*self._compose, *arguments], seconds)
        if done.returncode != 0:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()][-12:]
            logs = self._keep_logs()
            why = f"compose {arguments[0]} ended with status {done.returncode}"
            raise Problem("the composed system did not do as it was asked", why, f"Its logs are in {logs}.", said)
        return done.stdout

    def _keep_logs(self) -> Path:
        """Writes down what the containers said, because it goes with them."""
        file = self._root / ".accepted" / f"{self.project}.log"
        file.parent.mkdir(exist_ok=True)
        done = self._call([*self._compose, "logs", "--no-color", "--timestamps"], 60)
        file.write_text(done.stdout)
        return file.relative_to(self._root)

    def _call(self, command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        # In a session of its own, so that Ctrl-C reaches us only, and we end it in order.
        return subprocess.run(
            command, check=False, env=self._env, cwd=self._root, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, start_new_session=True,
        )  # fmt: skip


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours without what compose or the contract would take over from it: the demo brings its own."""
    contract = {name.upper() for name in Settings.model_fields}
    return {k: v for k, v in environ.items() if k not in contract and not k.startswith("COMPOSE_")}


def program() -> list[str]:
    """`docker compose`, else `docker-compose`. A Problem where there is neither."""
    if _works(["docker", "compose", "version"]):
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    cure = "Install the plugin (Debian, Ubuntu: apt-get install docker-compose), or play it on this machine: make demo"
    raise Problem("there is no docker compose", "neither `docker compose` nor `docker-compose` is installed", cure)


def require_engine() -> None:
    """A Problem where no Docker engine can be used."""
    if not shutil.which("docker"):
        cure = "Install Docker, or play it on this machine: make demo STACK=local"
        raise Problem("there is no Docker here", "the command docker is not on the PATH", cure)
    if not _works(["docker", "version", "--format", "{{.Server.Version}}"]):
        cure = "Start it (Linux: sudo systemctl start docker), or play it on this machine: make demo STACK=local"
        raise Problem("no Docker engine answers", "`docker version` does not reach one", cure)


def require_secrets(file: Path) -> dict[str, str]:
    """What `make secrets` made up. A Problem where it has not been called."""
    if not file.exists():
        raise Problem(f"{file.name} is missing", "it holds the passwords of the containers", "Make it: make secrets")
    lines = (line.strip().partition("=") for line in file.read_text().splitlines() if not line.startswith("#"))
    return {name: value for name, sign, value in lines if sign}


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
