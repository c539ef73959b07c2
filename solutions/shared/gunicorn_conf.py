"""Gunicorn's hooks: connections and logging are set up in each worker, after the fork."""

from typing import Any

from billing import db

from . import caps, telemetry


def post_fork(server: Any, worker: Any) -> None:
    telemetry.configure("web")
    db.limit_connections(caps.connections("web"))
