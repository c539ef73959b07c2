"""Gunicorn's hooks: connections and logging are set up in each worker, after the fork."""

import gc
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from billing import db

from . import caps, telemetry


class logger_class(Logger):  # type: ignore[misc]  # noqa: N801  # gunicorn's name for the setting
    """Gunicorn's lines go the way of all others, the master's from the first on."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        telemetry.configure("web")


def post_fork(server: Any, worker: Any) -> None:
    gc.freeze()  # what was imported stays for good; how often the collector looks is set in __main__, before the fork
    telemetry.configure("web")
    db.limit_connections(caps.connections("web"))
