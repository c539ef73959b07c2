"""The page of a run: the finding in its titles, promises and phases in its pictures, nothing drawn that did not end."""

import json
from pathlib import Path

import pytest

from accepted.load import bundle
from accepted.load.chart import BLUE, Limit, Line, Span, chart, decades, steps
from accepted.load.report import report


def test_axes_have_round_numbers() -> None:
    assert steps(0, 37) == [0, 10, 20, 30]
    assert decades(0.004, 30) == [0.01, 0.1, 1, 10]
    assert decades(0.03, 0.9) == [0.05, 0.1, 0.2, 0.5]


def test_a_line_breaks_where_a_second_has_no_value() -> None:
    picture = chart([Line("x", BLUE, [(0, 1.0), (1, None), (2, 1.0), (3, 2.0)])], "s", [Span("steady", 0, 3)])
    assert picture.split('<path d="')[1].split('"')[0].count("M") == 2


def test_a_name_can_put_nothing_into_the_page() -> None:
    picture = chart([Line("<b>", BLUE, [(0, 1.0)])], "<i>", [Span("<u>", 0, 3)], [Limit("<s>", 0, 1, 1)], [(1, "<q>")])
    assert not any(tag in picture for tag in ("<b>", "<i>", "<u>", "<s>", "<q>"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundle of a run of ten jobs, the last of which never ended."""
    times = {"t_int": 0.0, "t_send": 0.0, "t_enq": None, "t_start": None, "status": 202, "error": None, "job": None}
    rows = [
        {"n": n, "phase": "steady", "kind": "noop", "tenant": "acme", "expect": "done", "key": None, **times,
         "t_int": float(n), "t_send": float(n), "t_acc": n + 0.1, "t_done": n + 0.4 if n < 9 else None,
         "t_over": n + 0.4 if n < 9 else None, "state": None, "attempts": 1, "effects": 1}
        for n in range(10)
    ]  # fmt: skip
    bundle.write_lines(tmp_path / "events.jsonl.gz", rows)
    bundle.write_lines(tmp_path / "samples.jsonl.gz", [])
    scenario = {"name": "try", "title": "A <try>", "phases": [{"name": "steady", "seconds": 10}]}
    quantiles = {"count": 10, "censored": 0, "p50": 0.1, "p95": 0.1, "p99": 0.1, "max": 0.1}
    never = {**quantiles, "censored": 1, "p95": None, "p99": None, "max": None}
    objective = {"metric": "end_to_end", "phase": "steady", "kind": None, "op": "lte", "value": 5.0, "target": 0.95}
    found = {"found": None, "never_ended": True, "occurrences": 10, "held": False}
    for name, what in {
        "manifest": {"scenario": scenario, "tree": "start", "backend": "rq", "seed": 1},
        "faults": {"faults": [{"fault": "kill_worker", "at": 4.0, "seconds": 0.1}]},
        "verdict": {"code": 99, "verdict": "an SLO is broken", "invalid": [], "objectives": [{**objective, **found}]},
        "summary": {
            "seconds": 12.0, "counts": {"refused": 0, "unfinished": 1}, "drain": None,
            "phases": {"steady": {"accept": quantiles, "end_to_end": never}},
            "lost": [], "stuck": ["k: running for ever"], "duplicated": [], "phantom": [],
            "generator": {"lag_p50": 0.001, "lag_p99": 0.002, "busiest": 0.1, "dropped": 0},
        },
    }.items():  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(what))
    return tmp_path


def test_the_page_says_what_was_found_and_marks_what_was_done(folder: Path) -> None:
    page = report(folder).read_text()
    for said in (
        "steady end to end p95: never, and ≤ 5 s was promised", "Taking work on: p95 stayed at 100 ms",
        "p95 never ended, in any phase; 1 jobs never ended", "kill worker", "SLO end to end p95 ≤ 5 s",
        "The oldest job was 2.9 s old", "0 of 1 objectives held", "k: running for ever",
    ):  # fmt: skip
        assert said in page, said
    assert "<try>" not in page
    assert "src=" not in page
    assert "href=" not in page
