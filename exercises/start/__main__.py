"""The entry points, one for each line of the Procfile: `python -m app web`, and so on."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from billing.settings import settings

# Nothing heavy is imported up here: web and workers become another command at once, which imports it all again.

USAGE = "usage: python -m app migrate | web | stream | relay | worker io|cpu | scheduler"


def main(argv: list[str]) -> None:
    os.environ["PROCESS"] = "-".join(argv)[:60]
    match argv:
        case ["migrate"]:
            from billing import db

            db.migrate(settings().database_url)
        case ["web"]:
            web()
        case ["stream"]:
            from .shared import stream

            prepare("stream")
            stream.serve(settings().host, settings().stream_port)
        case ["relay"]:
            from .shared import relay

            prepare("relay")
            until_told_to_stop(relay.loop)
        case ["scheduler"]:
            from .shared import scheduler

            prepare("scheduler")
            until_told_to_stop(scheduler.loop)
        case ["worker", "io" | "cpu" as pool]:
            worker(pool)
        case _:
            sys.exit(USAGE)


def prepare(process: str) -> None:
    from billing import db

    from .shared import caps, telemetry

    telemetry.configure(process)
    db.limit_connections(caps.connections(process))


def until_told_to_stop(loop: Callable[[threading.Event], None]) -> None:
    """Runs `loop(stop)`; SIGTERM and SIGINT let it finish what it is at."""
    from billing import db

    stop = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    loop(stop)
    db.dispose()


def web() -> None:
    s = settings()
    command = ["gunicorn", "--bind", f"{s.host}:{s.port}", "--workers", str(s.web_workers), "--worker-class", "gthread"]
    command += ["--threads", str(s.web_threads), "--graceful-timeout", "10", "--keep-alive", "75"]
    # Loaded once and forked; connections are opened after that. The control socket would be one path for every run.
    command += ["--preload", "--no-control-socket"]
    command += ["--config", "python:app.shared.gunicorn_conf", "app.shared.web:create_app()"]
    execute(command)


def worker(pool: str) -> None:
    """Executes the library's own command, so that everything its users know about it holds."""
    match settings().backend:
        case "rq":
            from .on_rq.main import command
        case "celery-redis" | "celery-rabbitmq":
            from .on_celery.main import command
        case other:
            sys.exit(f"BACKEND is {other!r}; this tree has workers for: rq, celery-redis, celery-rabbitmq.")
    execute(command(pool))


def execute(command: list[str]) -> None:
    """Becomes `command`, found beside this very Python."""
    os.execv(sys.executable, [sys.executable, "-m", *command])


if __name__ == "__main__":
    main(sys.argv[1:])
