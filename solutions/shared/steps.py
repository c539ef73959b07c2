"""Long work in durable steps: what is finished is never done again, and each kill costs one step at most.

A step's output is committed together with its progress, under the fencing token. After a finished step, once half
of the time box is used, the job gives itself back (NotYet) and goes on in a new box: a job of many boxes comes to
its end without ever holding a worker, or its lease, past one.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import unit
from billing.settings import settings

from . import claims, progress
from .core import Claim, JobId, LostLease, NotYet

Output = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """`fn` does the work and returns JSON values: ids and figures. It may run again if its worker dies in it.

    `commit` writes in the very transaction that records the step, after the fence was checked; so it happens once.
    `message` is what the job's reader sees when the step is done.
    """

    name: str
    fn: Callable[[], Output]
    message: str = ""
    commit: Callable[[Session, Output], None] | None = None


_FINISHED = text("SELECT name, output FROM job_steps WHERE job_id = :id")
_STORE = text("""
INSERT INTO job_steps (job_id, name, output, fence) VALUES (:id, :name, CAST(:output AS jsonb), :fence)
ON CONFLICT (job_id, name) DO UPDATE SET output = excluded.output, fence = excluded.fence, finished_at = now()
""")


def run(
    claim: Claim, steps: Sequence[Step], span: tuple[float, float] = (0, 100), more: bool = False
) -> dict[str, Output]:
    """Runs the steps that aren't finished, in order; returns the output of all of `steps` by name.

    `span` is the part of the job's percent that these steps cover; `more` says that others follow after them.
    Raises LostLease, NotYet (to be continued), and whatever a step raises.
    """
    with unit() as s:
        outputs = {row.name: row.output for row in s.execute(_FINISHED, {"id": claim.job.id})}
    for number, step in enumerate(steps, 1):
        if step.name in outputs:
            continue
        output = step.fn()
        percent = int(span[0] + (span[1] - span[0]) * number / len(steps))
        _finish(claim, step, output, percent)
        outputs[step.name] = output
        if (more or number < len(steps)) and box_used(claim, time.monotonic()) > 0.5:
            raise NotYet("continues in a new time box", delay=0)
    return {step.name: outputs[step.name] for step in steps}


def _finish(claim: Claim, step: Step, output: Output, percent: int) -> None:
    with unit() as s:
        claims.hold(s, claim)
        if step.commit is not None:
            step.commit(s, output)
        values = {"id": claim.job.id, "name": step.name, "output": json.dumps(output), "fence": claim.fence}
        s.execute(_STORE, values)
        message = step.message or f"{step.name} done"
        if not progress.record(s, claim.job.id, "running", percent, message, fence=claim.fence):
            raise LostLease(f"job {claim.job.id}: taken over while {step.name} was recorded")


def box_used(claim: Claim, now: float) -> float:
    """The part of the claim's time box that is gone at `now` (monotonic seconds): 0 at its start, 1 at its end."""
    return 1 - (claim.deadline - now) / settings().time_box


_FORGET = text("DELETE FROM job_steps WHERE job_id = :id")


def forget(claim: Claim) -> None:
    """Drops the finished steps, fenced: the next run starts from the first one."""
    with unit() as s:
        claims.hold(s, claim)
        s.execute(_FORGET, {"id": claim.job.id})


_VIEW = text("""
SELECT name, output, finished_at FROM job_steps WHERE job_id = :id ORDER BY finished_at, name
""")


def view(s: Session, job_id: JobId) -> list[dict[str, Any]]:
    """The finished steps in the order they ended: name, output, finished_at."""
    return [dict(row) for row in s.execute(_VIEW, {"id": job_id}).mappings()]
