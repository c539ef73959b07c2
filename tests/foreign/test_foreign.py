"""An app of somebody's own is graded by its Procfile: `accepted check N --app DIR`.

tests/foreign/books is Flask, RQ and psycopg in one file, written from docs/contract.md and not made of our trees. It
has one kind of worker, no streams and no reports: what it fails, it fails for that.

Each that it passes is a stack of its own, so here are two; GRADERS=1 takes all four.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accepted.grade.exercise import folders
from accepted.ladder import ROOT

BOOKS = Path(__file__).parent / "books"
PASSES = {1, 3, 4, 7}
FEW = {1, 3}
FAILS = {  # exercise: a check that fails, and words of the reason
    2: ("boots", "no process worker-cpu"),
    8: ("boots", "no process stream"),
    9: ("boots", "no process worker-cpu"),
}


def check(number: int, app: Path, results: Path, *more: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "accepted.cli", "check", str(number), "--app", str(app), "--json", *more]
    done = subprocess.run([*command, "--results", str(results)], cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("number", sorted(PASSES & folders().keys() & (PASSES if os.environ.get("GRADERS") else FEW)))
def test_an_app_in_one_file_passes_what_it_promises(number: int, tmp_path: Path) -> None:
    before = {path.name for path in BOOKS.iterdir()}
    code, report = check(number, BOOKS, tmp_path)
    assert code == 0, [one for one in report["checks"] if one["status"] != "pass"]
    assert {path.name for path in BOOKS.iterdir()} - {"__pycache__"} == before - {"__pycache__"}, "it keeps to itself"


@pytest.mark.parametrize("number", sorted(FAILS.keys() & folders().keys()))
def test_it_fails_others_for_the_right_reason(number: int, tmp_path: Path) -> None:
    name, reason = FAILS[number]
    code, report = check(number, BOOKS, tmp_path)
    assert code == 1
    broken = next(one for one in report["checks"] if one["status"] == "fail")
    assert broken["name"] == name
    assert reason in json.dumps(broken, ensure_ascii=False), broken


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
