"""One log line an event, as JSON, from every process; and the trace that joins a request to its effects.

Fields: ts, level, event, process, pid; where they are known trace_id, job_id, kind, tenant; of an exception error (its
class), error_message (redacted) and traceback (places, never values). Everything passes the redaction, whoever wrote
it: gunicorn, RQ and SQLAlchemy log through the same steps. Lines go to stderr, because stdout is for answers.
"""

import json
import logging
import os
import re
import secrets
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, merge_contextvars
from structlog.typing import FilteringBoundLogger

from billing.settings import settings

from .core import Job
from .redaction import redact, redact_error

# -- the trace (https://www.w3.org/TR/trace-context/) ---------------------------------------------------------------

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.A)


def trace(traceparent: str | None) -> tuple[str, str]:
    """(trace id, traceparent of a new span) within the caller's trace, or within a new one where there is none, or none
    that the standard lets us read."""
    found = parse(traceparent)
    trace_id, flags = (found[0], found[2]) if found else (secrets.token_hex(16), "01")
    return trace_id, f"00-{trace_id}-{span_id()}-{flags}"


def child(traceparent: str) -> str:
    """The traceparent of a new span below this one; to send along with a call to somebody else."""
    return trace(traceparent)[1]


def parse(traceparent: str | None) -> tuple[str, str, str] | None:
    """(trace id, span id, flags), or None where the standard says to start afresh."""
    match = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if match is None:
        return None
    version, trace_id, span, flags, more = match.groups()
    # Later versions may add fields at the end; this one has none. All zeros means "no id".
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span, 16):
        return None
    return trace_id, span, f"{int(flags, 16) & 1:02x}"  # of the flags only "sampled" is known here


def span_id() -> str:
    return secrets.token_hex(8)


# -- what every line says besides its event -------------------------------------------------------------------------


def bind(**fields: object) -> None:
    """From here on, every line of this thread (or task) says so, until `clear`."""
    bind_contextvars(**{name: value for name, value in fields.items() if value is not None})


def clear() -> None:
    clear_contextvars()


@contextmanager
def job(job: Job) -> Iterator[None]:
    """Within the block, every line names the job, its kind, its tenant and its trace."""
    with bound_contextvars(trace_id=job.trace_id, job_id=str(job.id), kind=job.kind, tenant=job.tenant_id):
        yield


def logger(name: str) -> FilteringBoundLogger:
    """A logger that takes an event and fields: `log.info("job started", delivery=1)`."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


# -- the way of a line ----------------------------------------------------------------------------------------------

Event = dict[str, Any]
_process = "app"


def _stamp(_: object, method: str, event: Event) -> Event:
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    head: Event = {"ts": at, "level": event.pop("level", method), "event": event.pop("event", "")}
    head |= {"process": _process, "pid": os.getpid()}
    # A None says nothing; a field of the caller's never hides one of these.
    return head | {name: value for name, value in event.items() if value is not None and name not in head}


def _exception(_: object, method: str, event: Event) -> Event:
    info = event.pop("exc_info", None)
    if info is True or (info is None and method == "exception"):
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event |= {"error": type(error).__name__, "error_message": redact_error(error), "traceback": places(error)}
    return event


def places(error: BaseException, most: int = 20) -> list[str]:
    """Where it happened, the innermost last: `module.py:12 function`. No source lines and no variables, since both may
    hold values; of causes, their class and place."""
    found = [_place(frame) for frame in traceback.extract_tb(error.__traceback__)][-most:]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        at = [_place(frame) for frame in traceback.extract_tb(cause.__traceback__)[-1:]]
        found.append(" ".join(["caused by", type(cause).__name__, *at]))
    return found


def _place(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}"


def _redacted(_: object, __: str, event: Event) -> Event:
    return redact(event)


def _json(_: object, __: str, event: Event) -> str:
    return json.dumps(event, default=str, ensure_ascii=False)


_coloured: structlog.dev.ConsoleRenderer | None = None


def _console(_: object, method: str, event: Event) -> str:
    global _coloured
    if _coloured is None:
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        _coloured = structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="ts")
    return str(_coloured(None, method, event))


# One list for good, changed in place: loggers keep it once they were used.
_steps: list[Any] = []


class _Stderr:
    """Writes to whatever sys.stderr is at the moment. A reader that went away must not end the work."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
        except (OSError, ValueError):
            pass

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


class _Foreign(logging.Handler):
    """Takes what libraries log through the same steps."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        event: Any = {"event": record.getMessage(), "level": level, "logger": record.name, "exc_info": record.exc_info}
        try:
            for step in _steps:
                event = step(None, level, event)
        except Exception:
            self.handleError(record)
        else:
            _Stderr().msg(event)


# Libraries that bring handlers of their own, which would print a line a second time or past the redaction.
_WITH_HANDLERS = ("gunicorn.error", "gunicorn.access", "rq", "rq.worker", "rq.worker_pool", "rq.scheduler")
_CHATTY = {"httpx": logging.WARNING, "alembic": logging.WARNING, "aiohttp.access": logging.WARNING}


def configure(process: str) -> None:
    """Sets up logging for this process under the name it has in the Procfile. May be called again, after a fork too."""
    global _process
    _process = os.environ.get("PROCESS") or process
    render = _console if settings().log_format == "console" else _json
    _steps[:] = [merge_contextvars, _exception, _redacted, _stamp, render]
    structlog.configure(
        processors=_steps,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Foreign)]:
        root.removeHandler(handler)
    root.addHandler(_Foreign())
    root.setLevel(logging.INFO)
    for name in _WITH_HANDLERS:
        adopted = logging.getLogger(name)
        adopted.handlers, adopted.propagate = [], True
    for name, level in _CHATTY.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _last_words


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is logged like anything else, not printed with its values."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger(__name__).critical("process ends by an error", exc_info=error)


def fields() -> Mapping[str, Any]:
    """What `bind` and `job` have set, e.g. to hand over to another thread."""
    return structlog.contextvars.get_contextvars()
