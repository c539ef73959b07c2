"""The web process: who asks, under which trace, and which module answers. Every error leaves as problem+json."""

import os
from pathlib import Path

from flask import Blueprint, Flask, Response, g, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from billing import api
from billing.settings import settings

from . import auth, bodies, health, links, problems, routes, telemetry, views
from .ops import ops
from .problems import Problem

LARGEST_BODY = 64 * 1024
PAGE = Path(__file__).parent / "page"
CONTRACT = Path("openapi.yaml").resolve()  # every process runs at the repository's root, wherever its tree lies
log = telemetry.logger(__name__)

v1 = Blueprint("work", __name__)
sessions = Blueprint("sessions", __name__)
page = Blueprint("page", __name__)
NEED_TENANT = frozenset({v1.name, api.blueprint.name, views.blueprint.name})


def create_app() -> Flask:
    """The WSGI application. Opens no connection before the first request, so it may be made before a fork."""
    settings().secret()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.before_request(_trace)
    app.before_request(_authenticate_where_needed)
    app.after_request(_told)
    problems.register(app, lambda error: log.error("request failed", exc_info=error))
    for blueprint in (v1, api.blueprint, views.blueprint, views.artifacts, sessions, health.blueprint, page):
        app.register_blueprint(blueprint)
    app.cli.add_command(ops)
    if os.environ.get("NOOPS") == "1":
        app.add_url_rule("/v1/noops", view_func=_noops, methods=["POST"])
    return app


# -- before and after each request ---------------------------------------------------------------------------------


def _trace() -> None:
    g.trace_id, g.traceparent = telemetry.trace(request.headers.get("traceparent"))
    telemetry.bind(trace_id=g.trace_id)


def _authenticate_where_needed() -> None:
    if request.blueprint in NEED_TENANT:
        _authenticate()


def _authenticate() -> None:
    """Sets `g.tenant_id`. Raises Problem 401, or 403 where a page of another origin uses the browser's cookie."""
    authorization = request.headers.get("Authorization")
    tenant = auth.tenant_of(authorization, request.cookies.get(auth.COOKIE))
    if tenant is None:
        raise Problem(
            401,
            "Send Authorization: Bearer TOKEN with a tenant's API token, or the cookie that POST /session gave.",
            "unauthorized",
            headers={"WWW-Authenticate": 'Bearer realm="accepted"'},
        )
    if authorization is None:
        _same_origin()
    g.tenant_id = tenant
    telemetry.bind(tenant=tenant)


def _same_origin() -> None:
    """SameSite=Strict counts every port of a host as one site, so the origin of a changing request is looked at."""
    origin = request.headers.get("Origin")
    if origin is None or request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if origin.partition("://")[2] != request.host:
        raise Problem(403, "A page of another origin may not act with this browser's session.", "foreign-origin")


def _told(response: Response) -> Response:
    response.headers["traceparent"] = g.traceparent
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        job_id=g.get("job_id"),
    )
    telemetry.clear()
    return response


# -- work ----------------------------------------------------------------------------------------------------------


@v1.post("/v1/reports")
def _reports() -> Response:
    return routes.post("report.export")


@v1.post("/v1/invoices/<int:invoice_id>/webhooks")
def _webhooks(invoice_id: int) -> Response:
    return routes.post("webhook.fanout")


@v1.post("/v1/invoices/<int:invoice_id>/email")
def _email(invoice_id: int) -> Response:
    return routes.post("email.send")


@v1.put("/v1/invoices/<int:invoice_id>")
def _change(invoice_id: int) -> Response:
    return routes.put("webhook.fanout")


@v1.post("/v1/payouts")
def _payouts() -> Response:
    return routes.post("payout.send")


def _noops() -> Response:
    """Work that does nothing, to measure everything else by."""
    _authenticate()
    return routes.post("noop")


# -- sessions of browsers ------------------------------------------------------------------------------------------


@sessions.post("/session")
def _sign_in() -> Response:
    _same_origin()
    session = auth.session_for(bodies.read(bodies.SignIn).token)
    if session is None:
        raise Problem(401, "No tenant has this token.", "unauthorized", headers={"WWW-Authenticate": "Bearer"})
    cookie, tenant = session
    response = _session(tenant, 201)
    response.set_cookie(
        auth.COOKIE,
        cookie,
        max_age=auth.SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=settings().public_url.startswith("https://"),
    )
    return response


@sessions.get("/session")
def _who_am_i() -> Response:
    _authenticate()
    return _session(g.tenant_id, 200)


@sessions.delete("/session")
def _sign_out() -> Response:
    _same_origin()
    response = Response(status=204)
    response.delete_cookie(auth.COOKIE, path="/", httponly=True, samesite="Strict")
    return response


def _session(tenant: str, status: int) -> Response:
    return views.answer({"tenant": tenant, "links": links.of_tenant()}, status)


# -- the client page -----------------------------------------------------------------------------------------------


@page.get("/")
def _home() -> Response:
    response = send_from_directory(PAGE, "index.html")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {settings().stream_url}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return response


@page.get("/page/<path:name>")
def _asset(name: str) -> Response:
    return send_from_directory(PAGE, name, max_age=60)


@page.get("/favicon.ico")
def _icon() -> AnyResponse:
    return redirect("/page/icon.svg", 301)


@page.get("/openapi.yaml")
def _contract() -> Response:
    return send_from_directory(CONTRACT.parent, CONTRACT.name, mimetype="application/yaml")
