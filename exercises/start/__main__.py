"""The entry points, one for each line of the Procfile: `python -m app web`, and so on."""

import gc
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from billing.settings import settings

# Nothing heavy is imported up here: each process needs something else.

USAGE = "usage: python -m app migrate | web | stream | relay | worker io|cpu | scheduler | autoscaler [decide]"

# Objects more before Python looks for cycles among them: at 700 it does so several times a request, and at 50,000 a
# worker's memory rises by 8 MB, for a thousand jobs, before it falls.
GARBAGE = 5_000


def main(argv: list[str]) -> None:
    gc.set_threshold(GARBAGE)
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
            give_way(settings().worker_nice)
            until_told_to_stop(relay.loop)
        case ["scheduler"]:
            from .shared import scheduler

            prepare("scheduler")
            until_told_to_stop(scheduler.loop)
        case ["worker", "io" | "cpu" as pool]:
            worker(pool)
        case ["autoscaler"] if settings().autoscale == "off":
            idle("autoscaler", "off; AUTOSCALE=local, docker or print switches it on")
        case ["autoscaler"]:
            from .shared.autoscaler import scaling

            prepare("autoscaler")
            until_told_to_stop(scaling.loop)
        case ["autoscaler", "decide"]:
            from .shared.autoscaler import asked

            for line in asked.answers(sys.stdin):
                print(line, flush=True)  # noqa: T201  (an answer)
        case ["replica", "io" | "cpu" as pool, starter]:  # a worker of the autoscaler's
            from .shared import parent

            os.environ["PROCESS"] = f"worker-{pool}"
            parent.leave_with_it(int(starter))
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

    loop(told_to_stop())
    db.dispose()


def told_to_stop() -> threading.Event:
    """Is set by SIGTERM and SIGINT."""
    stop = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def idle(process: str, why: str) -> None:
    """Without a database: this process stands beside every system, most of which have no use for it."""
    import structlog

    from .shared import telemetry

    telemetry.configure(process)
    stop = told_to_stop()
    structlog.get_logger(__name__).info(why)
    stop.wait()


def web() -> None:
    s = settings()
    command = ["gunicorn", "--bind", f"{s.host}:{s.port}", "--workers", str(s.web_workers), "--worker-class", "gthread"]
    command += ["--threads", str(s.web_threads), "--graceful-timeout", "10", "--keep-alive", "75"]
    # Loaded once and forked; connections are opened after that. The control socket would be one path for every run.
    command += ["--preload", "--no-control-socket"]
    command += ["--config", "python:app.shared.gunicorn_conf", "app.shared.web:create_app()"]
    execute(command)


def worker(pool: str) -> None:
    """Runs the library's own command, so that everything its users know about it holds."""
    give_way(settings().worker_nice)
    match settings().backend:
        case "rq":
            from .on_rq.main import command
        case "celery-redis" | "celery-rabbitmq":
            from .on_celery.main import command
        case other:
            sys.exit(f"BACKEND is {other!r}; this tree has workers for: rq, celery-redis, celery-rabbitmq.")
    execute(command(pool))


def give_way(niceness: int) -> None:
    """On a machine that is busy, what answers requests comes first: work that was accepted can wait, a client doesn't.

    Linux may schedule each session as a group of its own; niceness then counts within the group only, and the group
    has one of its own, which is set where this process leads its session and so speaks for nobody else.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
    group = Path("/proc/self/autogroup")
    give_up = time.monotonic() + 2
    while os.getsid(0) == os.getpid() and group.exists():
        try:
            group.write_text(str(niceness))
        except BlockingIOError:  # the kernel takes ten of these a second from all of us
            if time.monotonic() < give_up:
                time.sleep(0.05)
                continue
        except OSError:
            pass  # not allowed here: its own niceness has to do
        break


def execute(command: list[str]) -> None:
    """Goes on as `python -m command` in this very process: what was imported to get here is not imported twice."""
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
