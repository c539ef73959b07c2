"""How far a job is, for those who ask.

Progress changes often and is asked for even more often, so it is kept in Redis, where both cost nothing. How a job
ended stands in Postgres.
"""

from datetime import UTC, datetime
from functools import lru_cache

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.settings import settings

from .core import TERMINAL, JobId
from .shapes import VIEW, Event, JobView, view

KEEP = 3600  # seconds
log = structlog.get_logger(__name__)

_READ = text(f"""
SELECT {VIEW}, (
    SELECT jsonb_object_agg(state, n) FROM (
        SELECT c.state, count(*) AS n FROM jobs c WHERE c.parent_id = jobs.id GROUP BY c.state) counted
) AS children
FROM jobs WHERE id = :id
""")


@lru_cache(maxsize=1)
def _cache() -> Redis:
    return Redis.from_url(settings().redis_url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2)


def record(
    s: Session,
    job_id: JobId,
    state: str,
    percent: int | None = None,
    message: str | None = None,
    fence: int | None = None,
) -> bool:
    """Remembers where the job is. Work goes on where Redis is down: progress is not worth a failed job."""
    known = {"state": state, "percent": percent, "message": message}
    key = f"progress:{job_id}"
    try:
        _cache().hset(key, mapping={name: value for name, value in known.items() if value is not None})
        _cache().expire(key, KEEP)
    except RedisError as error:
        log.warning("progress not recorded", job_id=str(job_id), why=str(error))
    return True


def read(s: Session, job_id: JobId) -> JobView | None:
    """The job's view, or None for an unknown id. The caller compares `tenant_id`."""
    row = s.execute(_READ, {"id": job_id}).mappings().one_or_none()
    if row is None:
        return None
    job = view(row)
    if job["state"] not in TERMINAL:
        known = _recorded(job_id)
        job["state"] = known.get("state", job["state"])
        job["percent"] = int(known.get("percent", job["percent"]))
        job["message"] = known.get("message", job["message"])
    return job


def _recorded(job_id: JobId) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in _cache().hgetall(f"progress:{job_id}").items()}
    except RedisError:
        return {}


def events_after(s: Session, job_id: JobId, seq: int) -> list[Event]:
    """What is new since event `seq`: the newest state, which is all that anybody wants to know."""
    job = read(s, job_id)
    if job is None or job["seq"] <= seq:
        return []
    at = datetime.now(UTC)
    return [Event(job_id, job["seq"], job["tenant_id"], at, job["state"], job["percent"], job["message"])]


def cursor(s: Session) -> str:
    """Where the stream of a tenant's jobs stands; it always starts from now."""
    return ""
