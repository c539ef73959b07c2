"""Long work in steps, so that its reader sees how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from billing.db import unit

from . import progress
from .core import Claim, JobId

Output = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """`fn` does the work and returns JSON values: ids and figures.

    `commit` writes what belongs to the step into the database. `message` is what the job's reader sees when it is done.
    """

    name: str
    fn: Callable[[], Output]
    message: str = ""
    commit: Callable[[Session, Output], None] | None = None


def run(
    claim: Claim, steps: Sequence[Step], span: tuple[float, float] = (0, 100), more: bool = False
) -> dict[str, Output]:
    """Runs the steps in order; returns their outputs by name. `span` is the part of the job's percent they cover."""
    outputs: dict[str, Output] = {}
    for number, step in enumerate(steps, 1):
        output = step.fn()
        percent = int(span[0] + (span[1] - span[0]) * number / len(steps))
        with unit() as s:
            if step.commit is not None:
                step.commit(s, output)
            progress.record(s, claim.job.id, "running", percent, step.message or f"{step.name} done", claim.fence)
        outputs[step.name] = output
    return outputs


def forget(claim: Claim) -> None:
    """The next run starts from the first step, as every run does."""


def view(s: Session, job_id: JobId) -> list[dict[str, Any]]:
    """The finished steps: the log has them."""
    return []
