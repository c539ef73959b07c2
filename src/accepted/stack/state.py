"""What a run writes down about itself: `state.json`, from which `down` and `status` know it."""

import fcntl
import json
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from accepted.stack.errors import Problem, cannot_write

Phase = Literal["booting", "up", "stopping", "stopped", "failed"]
OVER: tuple[Phase, Phase] = ("stopped", "failed")  # it ended and cleaned up after itself


@dataclass(frozen=True)
class Recorded:
    """A process of a run.

    `started`: seconds since the epoch; `port`: where GET /healthz (http) or a connection must answer.
    """

    name: str
    kind: Literal["server", "third party", "process"]
    pid: int | None
    started: float | None
    port: int | None = None
    http: bool = False
    restarts: int = 0


@dataclass(frozen=True)
class State:
    """A run as it was when written. Times are seconds since the epoch."""

    name: str
    run_id: str
    phase: Phase
    supervisor: int
    supervisor_started: float
    created: float
    tree: str | None = None
    backend: str = "rq"
    urls: dict[str, str] = field(default_factory=dict)
    processes: list[Recorded] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)  # data that goes with the run
    database: list[str] | None = None  # server and name of a database made on a server that is not ours

    @property
    def over(self) -> bool:
        """Whether the run ended and cleaned up after itself."""
        return self.phase in OVER


class RunFolder:
    """The folder of one run. Whoever holds its lock is the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def logs(self) -> Path:
        """Where the processes' output goes."""
        return self.path / "logs"

    def claim(self) -> None:
        """Makes the folder and takes its lock, until `release` or our end.

        A Problem where the run is up, or the folder not ours.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a")
        except OSError as error:
            raise cannot_write(error.filename or self.path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            state = self.load()
            by = f"process {state.supervisor} runs it" if state else "another process runs it"
            name = "" if self.path.name == DEFAULT else f" --name {self.path.name}"
            raise Problem(f"run {self.path.name} is already up", by, f"Stop it with: accepted down{name}") from None
        self._lock = lock

    def release(self) -> None:
        """Lets the lock go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_claimed(self) -> bool:
        """Whether some process holds the lock now."""
        try:
            with (self.path / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def save(self, state: State) -> None:
        """Replaces state.json in one step; only its owner may read it, for the URLs hold passwords."""
        with tempfile.NamedTemporaryFile("w", dir=self.path, prefix="state.", delete=False) as file:
            json.dump(asdict(state), file, indent=2)
        Path(file.name).replace(self.path / "state.json")

    def load(self) -> State | None:
        """The last state written; None where there is none, or it is from another version."""
        try:
            known: dict[str, Any] = json.loads((self.path / "state.json").read_text())
            records = [Recorded(**record) for record in known.pop("processes")]
            return State(**known, processes=records)
        except (OSError, ValueError, TypeError, KeyError):
            return None


DEFAULT = "default"  # the run of `accepted up`


def require_name(name: str) -> str:
    """`name` itself, where it can name a run; a Problem otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise Problem(
            f"{name!r} cannot name a run", "it becomes the name of a folder", "Use letters, digits, . _ and -."
        )
    return name


def root(start: Path | None = None) -> Path:
    """The repository that we stand in: the nearest folder with a pyproject.toml or .git, else where we are."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").exists() or (folder / ".git").exists():
            return folder
    return here


def runs_folder(start: Path | None = None) -> Path:
    """Where all runs of this repository keep their folders."""
    return root(start) / ".accepted" / "runs"
