"""Whatever becomes of a check, or of the process that runs it, there is a verdict, and never a pass by silence."""

import json
import os
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from accepted.check import report as reporting
from accepted.grade.engine import LOG, Report
from accepted.grade.verdict import Result, overall
from tests.grade.conftest import Graded

BROKEN = """
def check_first():
    raise Broken(stimulus="it was asked", rule="It answers.", difference="expected 202, found 500", costs="money",
                 look="routes.py", evidence=[Moment(100.25, "POST → 500", "the answer"), Moment(100.0, "asked")])
"""


def statuses(report: Report) -> dict[str, str]:
    return {one.name: one.status for one in report.checks}


def test_a_check_that_says_what_it_measured_passes(graded: Graded) -> None:
    report = graded("def check_first():\n    return '202 in 4 ms'", first=())
    assert (report.verdict, report.exit) == ("pass", 0)
    assert report.checks[0].message == "202 in 4 ms"


def test_the_graders_own_log_warns_of_nothing(graded: Graded, tmp_path: Path) -> None:
    assert graded("def check_first(stage):\n    return 'x'", first=()).verdict == "pass"
    assert "warning" not in (tmp_path / "results" / LOG).read_text()


def test_a_broken_rule_fails_and_teaches_and_what_needs_it_is_skipped_by_name(graded: Graded) -> None:
    later = (
        "def check_second():\n    return 'x'\ndef check_third():\n    return 'x'\ndef check_aside():\n    return 'x'"
    )
    report = graded(BROKEN + later, first=(), second=("first",), third=("second",), aside=())
    assert (report.verdict, report.exit) == ("fail", 1)
    assert statuses(report) == {"first": "fail", "aside": "pass", "second": "skipped", "third": "skipped"}
    assert [one.message for one in report.checks if one.status == "skipped"] == [
        "needs first, which did not pass"
    ] * 2, "the root cause is named, not the check between"
    first = report.checks[0]
    assert first.evidence == ["  0.000  asked", "  0.250  POST → 500   ← the answer"]
    screen = "\n".join(reporting.block(first))
    told = ["it was asked", "expected 202, found 500", "← the answer", "money", "routes.py"]
    assert [screen.index(part) for part in told] == sorted(screen.index(part) for part in told)
    assert first.file is not None and "It answers." in Path(first.file).read_text()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("raise Unknown('the store was to hang, and answered')", "unknown"),
        ("raise ZeroDivisionError", "grader-error"),
        ("return None", "grader-error"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "grader-error"),
        ("import os; os._exit(0)", "grader-error"),
        ("raise SystemExit(0)", "grader-error"),
    ],
)
def test_what_could_not_be_judged_is_no_pass_and_no_fail(graded: Graded, body: str, status: str) -> None:
    report = graded(f"def check_first():\n    {body}", first=())
    assert (report.verdict, report.exit) == (status, 3)
    assert statuses(report) == {"first": status}


def test_a_check_that_never_ends_is_unknown_and_so_is_what_comes_after(graded: Graded) -> None:
    endless = "import time\ndef check_first():\n    time.sleep(600)\ndef check_aside():\n    return 'x'"
    report = graded(endless, seconds=4, first=(), aside=())
    assert statuses(report) == {"first": "unknown", "aside": "unknown"}
    assert report.seconds < 20


def test_lines_that_look_like_results_are_nobodys_results(graded: Graded) -> None:
    forged = json.dumps({"result": {"name": "first", "status": "pass", "message": "forged"}})
    report = graded(f"print({forged!r} * 3)\nprint('1 passed')\n{BROKEN}", first=())
    assert (report.verdict, report.exit) == ("fail", 1)


@pytest.mark.parametrize(
    "checks", ["", "def check_first(): return 'x'\ndef check_more(): return 'x'", "import nothing"]
)
def test_checks_that_are_not_those_of_the_exercise_pass_nothing(graded: Graded, checks: str) -> None:
    report = graded(checks, first=())
    assert (report.verdict, report.exit) == ("grader-error", 3)


def test_the_worst_verdict_is_the_verdict_and_none_at_all_is_an_error() -> None:
    def of(*statuses: str) -> str:
        return overall([Result("a", each, "") for each in statuses])  # type: ignore[arg-type]

    assert of("pass", "unknown", "fail") == "fail"
    assert of("pass", "unknown", "grader-error") == "grader-error"
    assert of("pass", "unknown") == "unknown"
    assert of("pass", "skipped") == of() == "grader-error"


def test_junit_calls_a_fail_a_failure_and_what_was_not_judged_an_error(graded: Graded) -> None:
    report = graded(BROKEN + "def check_aside():\n    raise Unknown('no')", first=(), aside=())
    xml = reporting.junit(report)
    assert 'tests="2" failures="1" errors="1" skipped="0"' in xml
    assert "expected 202, found 500" in xml and "unknown: no" in xml


def test_junit_is_xml_also_where_the_app_prints_in_colour(graded: Graded) -> None:
    report = graded("def check_first():\n    raise Unknown('\\x1b[31mTraceback\\x1b[0m')", first=())
    (case,) = fromstring(reporting.junit(report)).iter("error")
    assert "\N{REPLACEMENT CHARACTER}[31mTraceback" in case.attrib["message"]


def test_a_verdict_can_be_read_by_whoever_may_read_the_folder(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        reporting.save(tmp_path / "03.json", "{}\n")
    finally:
        os.umask(old)
    assert (tmp_path / "03.json").stat().st_mode & 0o777 == 0o644


def test_an_id_is_never_broken_across_lines() -> None:
    job = "aaaaaaaa-bbbb-4ccc-addd-eeeeeeeeeeee"
    for width in range(40, 90):
        text = "x" * width + f" job {job} succeeded, killed-between-parts did not"
        lines = reporting.block(Result("first", "fail", "", difference=text, file="results/01/first.txt"))
        assert any(job in line for line in lines) and any("killed-between-parts" in line for line in lines), width
