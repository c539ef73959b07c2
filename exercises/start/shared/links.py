"""The addresses that answers point at."""

from uuid import UUID

from billing.settings import settings


def job(job_id: UUID | str) -> str:
    return f"/jobs/{job_id}"


def of_job(job_id: UUID | str) -> dict[str, str]:
    """Paths are the web's own; `events` is absolute, for the stream is another process."""
    stream = settings().stream_url.rstrip("/")
    return {
        "self": job(job_id),
        "events": f"{stream}/jobs/{job_id}/events",
        "children": f"/jobs?parent={job_id}",
    }


def of_tenant() -> dict[str, str]:
    return {"jobs": "/jobs", "events": f"{settings().stream_url.rstrip('/')}/events"}
