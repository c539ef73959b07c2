"""Is the process alive, can it accept work, and what do the figures say."""

from flask import Blueprint, Response
from sqlalchemy import text

from billing.db import unit

from . import gauges, views
from .backend import broker
from .core import BrokerDown

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def _alive() -> Response:
    """Says only that the process answers: a restart would not cure what other servers suffer from."""
    return views.answer({"status": "alive"})


@blueprint.get("/readyz")
def _ready() -> Response:
    """Postgres is all that is needed to accept work; without the broker it waits in the outbox. Else a 503 problem."""
    with unit() as s:
        s.execute(text("SELECT 1"))
    up = broker_answers()
    status = "ready" if up else "degraded"
    return views.answer({"status": status, "postgres": "up", "broker": "up" if up else "down"})


def broker_answers() -> bool:
    try:
        broker().epoch()
    except BrokerDown:
        return False
    return True


@blueprint.get("/metrics")
def _metrics() -> Response:
    return Response(gauges.exposition(), content_type=gauges.CONTENT_TYPE)
