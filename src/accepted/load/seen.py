"""A job as the witnesses of a run saw it."""

from dataclasses import dataclass

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
UNFINISHED = ("queued", "running", "retrying")
WITNESSED = {"payout.send": "charge", "email.send": "email", "noop": "noop"}


@dataclass(frozen=True)
class Seen:
    """A job as Postgres has it. `has_artifact`: of a report, whether its pointer leads to an object. `children`: the
    deliveries of a fan-out; `wanted` is how many its result speaks of."""

    id: str
    kind: str
    key: str
    state: str
    t_enq: float | None = None
    t_start: float | None = None
    t_over: float | None = None
    attempts: int = 0
    has_artifact: bool = False
    superseded: bool = False
    wanted: int = 0
    children: tuple["Seen", ...] = ()
