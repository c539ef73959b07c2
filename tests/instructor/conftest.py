"""A room of learners, made of result files as the grader writes them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from accepted.grade.engine import Report
from accepted.grade.exercise import find
from accepted.grade.verdict import EXIT, Result, Status, overall

Graded = Callable[..., Path]


def result(
    number: int, failing: str | None = None, started: float = 1_795_000_000, tree: str = "work"
) -> dict[str, Any]:
    """Where `failing` names a check, that one fails and its dependents are skipped; else all pass."""
    exercise = find(number)
    behind = exercise.dependents(failing) if failing else frozenset()
    checks = []
    for name in exercise.toml.order():
        status: Status = "fail" if name == failing else "skipped" if name in behind else "pass"
        said = "it holds" if status == "pass" else f"needs {failing}, which did not pass"
        checks.append(Result(name, status, said, difference="expected one, found two" if name == failing else ""))
    verdict = overall(checks)
    toml = exercise.toml
    report = Report(number, toml.slug, tree, "rq", 1, verdict, EXIT[verdict], started, 5.5, {}, checks)
    found: dict[str, Any] = asdict(report)
    return found


@pytest.fixture
def graded(tmp_path: Path) -> Graded:
    """`graded("anna", 3, "works")` writes room/anna/results/03.json; returns its path."""

    def write(name: str, number: int, failing: str | None = None, place: str = "results", **more: Any) -> Path:
        folder = tmp_path / "room" / name / place
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:02}.json"
        path.write_text(json.dumps(result(number, failing, **more)))
        return path

    return write
