"""What the baselines of `noops` and `relay` put on a queue: a function that does nothing."""


def noop(job_id: str) -> None:
    """RQ imports and calls it."""
