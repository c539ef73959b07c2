"""An app of somebody's own is graded by its Procfile: `accepted check N --app DIR`.

tests/foreign/books is Flask, RQ and psycopg in one file, written from docs/contract.md and not made of our trees. It
boots in every exercise, and has no files, no streams, no commands for operators and no autoscaler: what it fails, it
fails for that.

Each is a stack of its own, so here are the quickest; `make test-graders` takes the others.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accepted.ladder import ROOT
from tests.at_length import few_of

BOOKS = Path(__file__).parent / "books"
PASSES = [1, 3, 4, 7]
LACKS = {  # exercise: the first check that fails and others that don't come of it, with words of the reason
    2: {"json-not-pickles": "body is a pickle", "works": "(reports) to succeed; it is failed"},
    5: {
        "undecodable-parked": "expected one dead letter without a job, found 0",
        "requeue-runs-once": "requeued: expected 1, found 0",
        "poison-is-parked": "and no dead letter",
    },
    6: {"works": "it is failed"},
    8: {
        "shows-progress": "expected a percent between 0 and 100, found none",
        "tells-every-event": "expected events 1 to the end, found none, and status 404",
        "heartbeats": "found 0 comments",
    },
    9: {"works": "it is failed"},
    11: {"lag-comes-back": "there were 1 workers at most"},
}
QUICK = {1, 3, 2, 6}


def check(number: int, app: Path, results: Path, *more: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "accepted.cli", "check", str(number), "--app", str(app), "--json", *more]
    done = subprocess.run([*command, "--results", str(results)], cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("number", few_of(PASSES, QUICK))
def test_an_app_in_one_file_passes_what_it_promises(number: int, tmp_path: Path) -> None:
    before = {path.name for path in BOOKS.iterdir()}
    code, report = check(number, BOOKS, tmp_path)
    assert code == 0, [one for one in report["checks"] if one["status"] != "pass"]
    assert {path.name for path in BOOKS.iterdir()} - {"__pycache__"} == before - {"__pycache__"}, "it keeps to itself"


@pytest.mark.parametrize("number", few_of(LACKS, QUICK))
def test_it_fails_others_for_what_it_lacks(number: int, tmp_path: Path) -> None:
    code, report = check(number, BOOKS, tmp_path)
    assert code == 1
    failed = {one["name"]: one["difference"] for one in report["checks"] if one["status"] == "fail"}
    assert next(iter(failed)) == next(iter(LACKS[number])), failed
    assert {name: words for name, words in LACKS[number].items() if words not in failed.get(name, "")} == {}, failed


def test_a_process_that_its_procfile_lacks_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Procfile").write_text("release: true\nwebsite: python site.py\n")
    code, report = check(1, tmp_path / "app", tmp_path / "results")
    assert code == 1
    boots = report["checks"][0]
    assert (boots["name"], boots["status"]) == ("boots", "fail")
    assert "no process web" in boots["difference"] and "website" in boots["difference"]


def test_a_release_that_makes_no_tables_is_the_apps_own_fault(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Procfile").write_text("release: true\nweb: python -m http.server\n")
    code, report = check(1, tmp_path / "app", tmp_path / "results")
    assert code == 1
    assert "release made no tables" in report["checks"][0]["difference"], report["checks"][0]
