"""What the oracle judges: one run, as its witnesses tell it. Times are seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
EffectKind = Literal["charge", "email", "webhook"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One natural key that a client asked for. `job` is None where no answer ever came: then an effect is allowed
    and none is owed. `expect` is `at most one` where the story itself may end the job without an effect.

    What has the same `group` (an account) must have its effects in the order in which it was asked for: in
    `History.asked` each stands behind what was accepted before it was sent.
    """

    kind: str
    key: str
    job: str | None = None
    expect: Literal["one", "at most one"] = "one"
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as HTTP shows it; `fence` comes from Postgres."""

    id: str
    kind: str
    key: str
    state: str
    parent: str | None = None
    result: Mapping[str, Any] | None = None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One row of a job's history."""

    job: str
    seq: int
    state: str
    percent: int
    at: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that happened at the partner; `seq` is the ledger's order."""

    kind: EffectKind
    key: str
    seq: int
    at: float = 0.0
    subscriber: str | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step, and the fencing token it was written under."""

    job: str
    name: str
    fence: int
    at: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """Where a report's row points (None: nowhere), and whether the store has that object."""

    job: str
    pointer: str | None
    exists: bool


@dataclass(frozen=True, slots=True)
class History:
    """`drained`: every accepted job and its children were seen terminal over HTTP before the deadline.

    `ended` is when the witnesses were heard; a job without an event for `patience` seconds before that is stuck.
    `refused` are requests that should have been answered 202 and were answered otherwise.
    """

    asked: tuple[Asked, ...] = ()
    jobs: tuple[Job, ...] = ()
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()
    steps: tuple[Step, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    refused: tuple[str, ...] = ()
    drained: bool = True
    ended: float = 0.0
    patience: float = 30.0
    note: str = field(default="")

    def of(self, job: str) -> list[Event]:
        """The job's events by number."""
        return sorted((one for one in self.events if one.job == job), key=lambda one: one.seq)


_HISTORY = TypeAdapter(History)


def load(path: Path) -> History:
    """A history from a JSON file of the same shape. Raises pydantic.ValidationError."""
    return _HISTORY.validate_json(path.read_bytes())


def save(history: History, path: Path) -> None:
    """Writes what `load` reads."""
    path.write_bytes(_HISTORY.dump_json(history, indent=1))


def plain(history: History) -> dict[str, Any]:
    """As JSON values."""
    return asdict(history)
