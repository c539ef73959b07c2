"""Every line is JSON, names its job, and holds no values; a trace goes on from caller to effect."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app.shared import jobs, telemetry
from hypothesis import given
from hypothesis import strategies as st

from billing.settings import settings

ROOT = Path(__file__).resolve().parents[2]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """The lines logged since the last look, parsed."""
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    monkeypatch.delenv("PROCESS", raising=False)
    settings.cache_clear()
    hook, handlers = sys.excepthook, list(logging.getLogger().handlers)
    telemetry.configure("worker-io")
    telemetry.clear()
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    sys.excepthook = hook
    logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers
    telemetry.clear()


def test_a_line_says_when_who_and_what(lines: Lines) -> None:
    telemetry.logger(__name__).info("job started", delivery=1, nothing=None)
    (line,) = lines()
    assert list(line)[:5] == ["ts", "level", "event", "process", "pid"]
    assert (line["level"], line["event"], line["process"], line["pid"]) == (
        "info",
        "job started",
        "worker-io",
        os.getpid(),
    )
    assert line["ts"].endswith("Z")
    assert line["delivery"] == 1
    assert "nothing" not in line


def test_lines_within_a_job_name_it_and_later_ones_do_not(lines: Lines) -> None:
    job = jobs.new("noop", "acme", "k", {}, aggregate="a", trace_id="1" * 32, traceparent=PARENT)
    with telemetry.job(job):
        telemetry.logger(__name__).info("inside")
        logging.getLogger("a.library").warning("inside too")
    telemetry.logger(__name__).info("outside")
    inside, library, outside = lines()
    wanted = {"job_id": str(job.id), "trace_id": "1" * 32, "kind": "noop", "tenant": "acme"}
    assert inside.items() >= wanted.items()
    assert library.items() >= (wanted | {"logger": "a.library", "level": "warning"}).items()
    assert not wanted.keys() & outside.keys()


def test_libraries_pass_the_same_redaction_whatever_handlers_they_brought(lines: Lines) -> None:
    for name in ("gunicorn.access", "rq.worker"):
        logging.getLogger(name).addHandler(logging.StreamHandler())
        logging.getLogger(name).propagate = False
    telemetry.configure("web")
    logging.getLogger("gunicorn.access").info("GET /artifacts/x?expires=1&signature=%s", "abcdef")
    logging.getLogger("rq.worker").info("mail to %s", "zoe@customers.example")
    access, worker = lines()
    assert access["event"] == "GET /artifacts/x?expires=1&signature=[redacted]"
    assert worker["event"] == "mail to [redacted]"


def test_an_exception_is_its_class_its_redacted_message_and_places_without_values(lines: Lines) -> None:
    def fails(name: str) -> None:
        secret_in_the_source = f"no such person: {name!r}"
        raise ValueError(secret_in_the_source)

    try:
        try:
            fails("Zoë Żółć (c7)")
        except ValueError as error:
            raise RuntimeError("charge of zoe@customers.example failed") from error
    except RuntimeError as error:
        telemetry.logger(__name__).error("gave up", exc_info=error)
        logging.getLogger("library").exception("gave up as well")
    for line in lines():
        assert (line["error"], line["error_message"]) == ("RuntimeError", "charge of [redacted] failed")
        assert line["traceback"][0].startswith("ops/test_telemetry.py:")
        assert line["traceback"][-1].startswith("caused by ValueError ops/test_telemetry.py:")
        assert "Żółć" not in json.dumps(line, ensure_ascii=False)
        assert "secret_in_the_source" not in json.dumps(line)


def test_a_field_can_not_pose_as_one_of_ours(lines: Lines) -> None:
    telemetry.logger(__name__).info("x", process="someone else", pid=1)
    (line,) = lines()
    assert (line["process"], line["pid"]) == ("worker-io", os.getpid())


def test_a_reader_that_went_away_does_not_end_the_work() -> None:
    code = (
        "import sys; from app.shared import telemetry; telemetry.configure('web');"
        "sys.stdin.readline(); telemetry.logger('x').info('into the void'); print('still at work')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.communicate("go\n", timeout=30)[0] == "still at work\n"


def test_an_error_that_ends_the_process_is_a_line_too() -> None:
    code = (
        "from app.shared import telemetry; telemetry.configure('relay'); raise ValueError('no zoe@customers.example')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    line = json.loads(done.stderr)
    assert done.returncode == 1
    assert (line["level"], line["error"], line["error_message"]) == ("critical", "ValueError", "no [redacted]")


def test_the_console_format_is_for_people_and_as_discreet() -> None:
    code = (
        "from app.shared import telemetry; telemetry.configure('web');"
        "telemetry.logger('x').info('mail', to='zoe@customers.example', n=3)"
    )
    environment = os.environ | {"LOG_FORMAT": "console"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )
    assert "mail" in done.stderr
    assert "n=3" in done.stderr
    assert "zoe" not in done.stderr
    assert "\x1b" not in done.stderr  # no terminal, no colours


# -- traces


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_callers_trace_goes_on_under_a_span_of_our_own(trace_id: int, span: int, flags: int) -> None:
    given_ = f"00-{trace_id:032x}-{span:016x}-{flags:02x}"
    found, ours = telemetry.trace(given_)
    assert found == f"{trace_id:032x}"
    assert telemetry.parse(ours) is not None
    assert ours.split("-")[1] == found
    assert ours.split("-")[2] != f"{span:016x}"
    assert int(ours.split("-")[3], 16) == flags & 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "nonsense",
        PARENT.upper(),
        PARENT + "-more",  # version 00 has four fields
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        PARENT[:-1],
        PARENT.replace("4", "٤", 1),
    ],
)
def test_what_the_standard_does_not_let_us_read_starts_a_new_trace(bad: str | None) -> None:
    found, ours = telemetry.trace(bad)
    assert found not in ("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)
    assert telemetry.parse(ours) == (found, ours.split("-")[2], "01")


def test_a_later_version_may_say_more() -> None:
    assert telemetry.trace("01" + PARENT[2:] + "-more")[0] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_child_is_another_span_of_the_same_trace() -> None:
    first, second = telemetry.child(PARENT), telemetry.child(PARENT)
    assert first != second
    assert {first.split("-")[1], second.split("-")[1]} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
