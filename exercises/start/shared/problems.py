"""Every answer of 400 and above, as application/problem+json (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from billing.db import DatabaseDown

MEDIA_TYPE = "application/problem+json"
Errors = Sequence[Mapping[str, str]]


class Problem(Exception):
    """An answer that says what went wrong. `kind` ends the type URI, `errors` are {pointer, detail} of single fields.

    What is in here reaches the client: no stack trace, no other tenant's data.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        kind: str = "",
        *,
        title: str = "",
        errors: Errors = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.title = title
        self.errors = errors
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": f"urn:accepted:problem:{self.kind}" if self.kind else "about:blank",
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request.path,
            "trace_id": g.get("trace_id", ""),
        }
        if self.errors:
            body["errors"] = list(self.errors)
        body.update(self.more)
        return Response(json.dumps(body, sort_keys=True), self.status, headers=self.headers, content_type=MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """The same for what is not there and for what is another tenant's: the difference is nobody's business."""
    return Problem(404, f"There is no such {what}, or it is not yours.", "not-found", title="Not found")


_DETAILS = {
    404: "Nothing lives at this address; /openapi.yaml lists what there is.",
    405: "This address doesn't take that method; the Allow header names those it takes.",
    413: "The body is larger than 64 KiB.",
}


def register(app: Flask, unexpected: Any) -> None:
    """`unexpected(error)` is told of every error that nobody foresaw, for the log."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        return problem.response()

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:  # a redirect that werkzeug raises, e.g. to a normalised path
            return Response(status=status, headers=dict(error.get_headers(request.environ)))
        detail = error.description or HTTPStatus(status).phrase
        if detail == type(error).description:  # werkzeug's own words, which say less
            detail = _DETAILS.get(status, detail)
        headers = {
            name: value
            for name, value in error.get_headers(request.environ)
            if name.lower() in ("allow", "retry-after", "www-authenticate")
        }
        return Problem(status, detail, headers=headers).response()

    @app.errorhandler(DatabaseDown)
    def _down(error: DatabaseDown) -> Response:
        unexpected(error)
        return Problem(
            503,
            "The database doesn't answer, so nothing was accepted for certain. Try again; with an "
            "Idempotency-Key it can't be accepted twice.",
            "database-down",
            headers={"Retry-After": "2"},
        ).response()

    @app.errorhandler(Exception)
    def _unforeseen(error: Exception) -> Response:
        unexpected(error)
        return Problem(
            500,
            "Something went wrong on our side. Name the trace_id to whoever runs this service.",
            "internal",
        ).response()
