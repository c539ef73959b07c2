"""Jobs as their tenant sees them: one, a page of them, and the way to a report's artifact."""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, g, redirect, request
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from billing.db import unit
from billing.settings import settings

from . import artifacts as signed
from . import auth, jobs, links, progress, shapes
from .core import TERMINAL, Job
from .problems import Problem, not_found

blueprint = Blueprint("jobs", __name__)
artifacts = Blueprint("artifacts", __name__)
PAGE, LARGEST_PAGE = 50, 200
_PARAMETERS = frozenset({"cursor", "limit", "kind", "state", "parent"})


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body, sort_keys=True), status, content_type="application/json")


@blueprint.get("/jobs/<job_id>")
def _show(job_id: str) -> Response:
    """State, progress and links. An ETag lets a poller ask for news only."""
    with unit() as s:
        job, view = _mine(s, job_id)
        artifact = _artifact_of(s, job, view)
    shown = {**_shown(view), "natural_key": job.natural_key}
    # A signed URL is another one at every look. That is news only once half of its time is over.
    mark = json.dumps([shown, artifact is not None and int(time.time() / (settings().url_ttl / 2))])
    if artifact is not None:
        shown["artifact"] = {"url": artifact[0], "expires_at": shapes.iso(artifact[1])}
    response = answer({"job": shown, "links": _links(view)})
    if view["state"] not in TERMINAL:
        response.headers["Retry-After"] = "1"
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(hashlib.sha256(mark.encode()).hexdigest()[:32])
    response.make_conditional(request)
    return response


@blueprint.get("/jobs/<job_id>/artifact")
def _fetch(job_id: str) -> AnyResponse:
    with unit() as s:
        artifact = _artifact_of(s, *_mine(s, job_id))
    if artifact is None:
        raise not_found("artifact")
    return redirect(artifact[0], 303)


_LIST = f"""
SELECT {shapes.VIEW}, natural_key, (
    SELECT jsonb_object_agg(state, n) FROM (
        SELECT c.state, count(*) AS n FROM jobs c WHERE c.parent_id = jobs.id GROUP BY c.state) counted
) AS children
FROM jobs WHERE tenant_id = :tenant {{filters}} ORDER BY accepted_at DESC, id LIMIT :limit
"""
_FILTERS = {
    "kind": "AND kind = :kind",
    "state": "AND state = :state",
    "parent": "AND parent_id = :parent",
    "top": "AND parent_id IS NULL",
    "at": "AND (accepted_at < :at OR (accepted_at = :at AND id > :after))",
}


@blueprint.get("/jobs")
def _list() -> Response:
    """The newest first. `events` follows the tenant's jobs from this very moment on, without a gap."""
    values = _asked(request.args)
    limit = values.pop("limit")
    statement = _LIST.format(filters=" ".join(_FILTERS[name] for name in values if name in _FILTERS))
    values.pop("top", None)
    with unit() as s:
        since = progress.cursor(s)  # before the list, so that what happens in between is seen twice, not never
        rows = s.execute(text(statement), {**values, "tenant": g.tenant_id, "limit": limit + 1}).mappings().all()
    views = [shapes.view(row) for row in rows[:limit]]
    more = len(rows) > limit
    found = [
        {**_shown(view), "natural_key": row["natural_key"], "links": _links(view)}
        for view, row in zip(views, rows, strict=False)
    ]
    events = f"{links.of_tenant()['events']}?since={quote(since, safe='')}"
    return answer(
        {
            "jobs": found,
            "next": _cursor(views[-1]["accepted_at"], views[-1]["id"]) if more else None,
            "links": {"events": events},
        }
    )


@artifacts.get("/artifacts/<path:path>")
def _artifact(path: str) -> AnyResponse:
    """A signed URL is a key of its own: no token is needed. Whoever sends one all the same must be the owner."""
    try:
        key = signed.check(path, request.args)
    except signed.Expired:
        raise Problem(410, "This link has expired; GET the job again for a new one.", "artifact-url-expired") from None
    except signed.BadSignature:
        raise Problem(403, "This link was not signed by us, or it was changed.", "artifact-url-invalid") from None
    asking = auth.tenant_of(request.headers.get("Authorization"), request.cookies.get(auth.COOKIE))
    if asking is not None and asking != key.partition("/")[0]:
        raise not_found("artifact")
    response = redirect(signed.location(key), 307)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


# -- from a row to an answer ---------------------------------------------------------------------------------------


def _mine(s: Session, job_id: str) -> tuple[Job, shapes.JobView]:
    """Raises Problem 404: for a malformed id, an unknown one and another tenant's the same."""
    found = shapes.job_id_of(job_id)
    view = None if found is None else progress.read(s, found)
    job = None if found is None or view is None else jobs.get(s, found)
    if view is None or job is None or view["tenant_id"] != g.tenant_id:
        raise not_found("job")
    return job, view


def _shown(view: shapes.JobView) -> dict[str, Any]:
    shown = {name: value for name, value in view.items() if name != "tenant_id"}
    if view["error"]:
        shown["error"] = {**view["error"], "redacted": True}
    return shown


def _artifact_of(s: Session, job: Job, view: shapes.JobView) -> tuple[str, datetime] | None:
    """(signed URL, when it expires)"""
    if not _has_artifact(view):
        return None
    try:
        return signed.url(job, s)
    except signed.NoArtifact:
        return None


def _has_artifact(view: shapes.JobView) -> bool:
    return view["kind"] == "report.export" and view["state"] == "succeeded"


def _links(view: shapes.JobView) -> dict[str, str]:
    found = links.of_job(view["id"])
    if _has_artifact(view):
        found["artifact"] = f"{found['self']}/artifact"
    if view["parent_id"]:
        found["parent"] = links.job(view["parent_id"])
    return found


# -- from a query string to a query --------------------------------------------------------------------------------


def _asked(args: MultiDict[str, str]) -> dict[str, Any]:
    """The values to filter by. Raises Problem 400 with each parameter that can't be taken."""
    values: dict[str, Any] = {"limit": PAGE}
    wrong = [_error(name, "there is no such parameter") for name in args if name not in _PARAMETERS]
    for name, value in args.items():
        if name in _PARAMETERS:
            try:
                values.update(_READERS[name](value))
            except (ValueError, binascii.Error) as error:
                wrong.append(_error(name, str(error)))
    if wrong:
        raise Problem(400, "The query can't be taken; `errors` says why.", "query", errors=wrong)
    return values


def _error(name: str, detail: str) -> dict[str, str]:
    return {"parameter": name, "detail": detail}


def _limit(value: str) -> dict[str, Any]:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= LARGEST_PAGE):
        raise ValueError(f"a whole number from 1 to {LARGEST_PAGE}")
    return {"limit": int(value[:9])}


def _kind(value: str) -> dict[str, Any]:
    if value not in jobs.KINDS:
        raise ValueError(f"one of {', '.join(jobs.KINDS)}")
    return {"kind": value}


def _state(value: str) -> dict[str, Any]:
    if value not in shapes.STATES:
        raise ValueError(f"one of {', '.join(shapes.STATES)}")
    return {"state": value}


def _parent(value: str) -> dict[str, Any]:
    if value == "none":
        return {"top": True}
    parent = shapes.job_id_of(value)
    if parent is None:
        raise ValueError("a job's id, or 'none' for jobs that have no parent")
    return {"parent": parent}


def _cursor(at: str | None, job_id: str) -> str:
    return base64.urlsafe_b64encode(f"{at} {job_id}".encode()).decode()


def _after(value: str) -> dict[str, Any]:
    """A cursor isn't signed: whatever it says, the tenant sees only its own jobs."""
    if not value:
        return {}
    try:
        at, job_id = base64.b64decode(value, altchars=b"-_", validate=True).decode("ascii").split(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return {"at": moment, "after": UUID(job_id)}
    except ValueError:
        raise ValueError("take `next` of the page before") from None


_READERS = {"limit": _limit, "kind": _kind, "state": _state, "parent": _parent, "cursor": _after}
