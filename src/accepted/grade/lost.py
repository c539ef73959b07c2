"""How often a job was taken for lost, as its own events tell it."""

from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown

# A job's events, each with the state before it. Who is queued, and was running, had a worker that was held to be dead.
_EVENTS = "(SELECT at, state, lag(state) OVER (ORDER BY seq) AS before FROM job_events WHERE job_id = %s) AS events"
_TAKEN = f"SELECT count(*) FROM {_EVENTS} WHERE state = 'queued' AND before = %s"
_WHEN = (
    f"SELECT extract(epoch FROM min(at))::float8 FROM {_EVENTS}"
    " WHERE state = 'queued' AND before = 'running' AND at > to_timestamp(%s)"
)
_BEGUN = f"SELECT count(*) FROM {_EVENTS} WHERE state = 'running' AND before IS DISTINCT FROM 'running'"


def begun(stage: Stage, job: str) -> int:
    """Times that a worker began with it."""
    found: int = stage.value(_BEGUN, job)
    return found


def lost(stage: Stage, job: str, while_it: str = "running") -> int:
    """Times that the job was queued anew in that state: `running`, taken from its worker; `queued`, while it waited."""
    found: int = stage.value(_TAKEN, job, while_it)
    return found


def taken_after(stage: Stage, job: str, moment: float) -> float | None:
    """When it was taken from its worker next, in seconds since the epoch, as `moment` is."""
    found: float | None = stage.value(_WHEN, job, moment)
    return found


def by_itself(stage: Stage, *jobs: str, kills: int = 0) -> None:
    """Raises Unknown where one of these was taken from its worker more often than its worker was killed. A lease that
    ends because the machine stalls counts as a run that never came back, and enough of those park a job, rightly."""
    for job in jobs:
        if (found := lost(stage, job)) > kills:
            raise Unknown(
                f"job {job[:8]} was taken for lost {found} times, and its worker was killed {kills} times: "
                "the machine may be too busy"
            )
