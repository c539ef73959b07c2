"""How often a job was taken for lost, as its own events tell it."""

from accepted.grade.stage import Stage

# From one state to the next: who is queued, and was running before, had a worker that was held to be dead.
_TAKEN = """
SELECT count(*) FROM (
    SELECT state, lag(state) OVER (ORDER BY seq) AS before FROM job_events WHERE job_id = %s) AS events
WHERE state = 'queued' AND before = %s
"""


def lost(stage: Stage, job: str, while_it: str = "running") -> int:
    """Times that the job was queued anew in that state: `running`, taken from its worker; `queued`, while it waited."""
    found: int = stage.value(_TAKEN, job, while_it)
    return found
