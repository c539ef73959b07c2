"""A message's way: decode, claim, handler, decide, record. Every concern is called from here, and none decides here."""

import json
import time
from datetime import UTC, datetime
from random import Random, SystemRandom

import structlog

from billing.db import DatabaseDown, statement, unit
from billing.settings import settings

from . import claims, dead_letters, jobs, leases, retries, telemetry
from .backend import broker
from .core import Claim, Exhausted, Failure, GiveUp, Job, JobId, LostLease, NotYet, Refused, Undecodable
from .failures import failure_of
from .tasks import HANDLERS

log = structlog.get_logger(__name__)
_rng: Random = SystemRandom()
AHEAD = 1.0  # seconds that a message may be ahead of its job: a publisher need not have waited for its commit


def deliver(raw: bytes, queue: str, *, timed_out: tuple[type[BaseException], ...] = ()) -> None:
    """Handles one message as it lay on the broker. It returns when the message may be acknowledged.

    Raises DatabaseDown where not even the claim could be made: the job is queued still, and comes again.
    """
    try:
        delivery = broker().decode(raw)
    except Undecodable as error:
        log.error("message parked: undecodable", queue=queue, why=str(error))
        with unit() as s:
            dead_letters.park_raw(s, raw, queue, f"undecodable: {error}")
        return
    run(delivery.job_id, timed_out=timed_out)


def run(job_id: JobId, *, timed_out: tuple[type[BaseException], ...] = ()) -> None:
    """Claims the job and carries it to its next state. `timed_out`: the backend's exceptions for the time box."""
    try:
        claim = _claim(job_id)
    except Refused as refused:
        log.info("message dropped", job_id=str(job_id), why=refused.why)
        return
    except Exhausted as poison:
        _park(poison.job, GiveUp("it killed its worker"), Failure("WorkerKilled", str(poison)), fence=None)
        return
    with telemetry.job(claim.job):
        log.info("job started", delivery=claim.job.deliveries)
        try:
            _work(claim, timed_out)
        except LostLease as lost:
            log.warning("job left to its new holder", why=str(lost))
        except DatabaseDown as down:
            log.error("job not recorded; its lease will end and it will come again", why=str(down))


def _claim(job_id: JobId) -> Claim:
    """Waits up to a lease for Postgres: a worker that didn't would take message after message, and drop them all."""
    began, pause = time.monotonic(), 0.1
    while True:
        try:
            with statement() as s:
                return claims.claim(s, job_id)
        except DatabaseDown as down:
            if time.monotonic() + pause > began + settings().lease:
                raise
            log.warning("claim waits", job_id=str(job_id), why=str(down))
        except Refused as refused:
            if refused.why != "unknown" or time.monotonic() > began + AHEAD:
                raise
        time.sleep(pause)
        pause = min(1, pause * 2)


def _work(claim: Claim, timed_out: tuple[type[BaseException], ...]) -> None:
    try:
        with leases.kept(claim):
            result = json.dumps(HANDLERS[claim.job.kind](claim))
    except LostLease:
        raise
    except NotYet as not_yet:
        with unit() as s:
            claims.release(s, claim, not_yet.why, not_yet.delay)
        log.info("job given back", why=not_yet.why, delay=not_yet.delay)
    except Exception as error:
        failure = failure_of(error, timed_out=timed_out)
        _failed(claim, failure, error)
    else:
        _succeeded(claim, result)


def _succeeded(claim: Claim, result: str) -> None:
    extras = {"result": result, "finished": True}
    with statement() as s:
        if not jobs.set_state(
            s, claim.job.id, "succeeded", percent=100, message="done", fence=claim.fence, extras=extras
        ):
            raise LostLease(f"job {claim.job.id}: it was taken over before its end was recorded")
    log.info("job succeeded")


def _failed(claim: Claim, failure: Failure, error: Exception) -> None:
    attempt = claim.job.failures + 1
    decision = retries.decide(failure, attempt, datetime.now(UTC), _rng)
    if isinstance(decision, GiveUp):
        # A mistake of ours needs its traceback; a partner's refusal explains itself.
        log.error("job gave up", why=decision.reason, exc_info=error if failure.status is None else None)
        _park(claim.job, decision, failure, fence=claim.fence)
        return
    wait = max(0.0, (decision.at - datetime.now(UTC)).total_seconds())
    message = f"attempt {attempt} failed ({failure.error}); the next is due in {wait:.1f} s"
    extras = {"due_in": wait, "failed_once": True, "let_go": True}
    with unit() as s:
        if not jobs.set_state(s, claim.job.id, "retrying", message=message, fence=claim.fence, extras=extras):
            raise LostLease(f"job {claim.job.id}: it was taken over before its failure was recorded")
    log.warning("job will be retried", attempt=attempt, error=failure.error, status=failure.status, wait=round(wait, 3))


def _park(job: Job, decision: GiveUp, failure: Failure, *, fence: int | None) -> None:
    with unit() as s:
        dead_letters.park(s, job, decision.reason, failure, fence=fence)
    log.error("job parked among the dead letters", job_id=str(job.id), why=decision.reason)
