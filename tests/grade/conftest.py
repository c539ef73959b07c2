"""Exercises of a line or two, to see what the engine makes of them. They boot nothing."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.grade.engine import Report, grade
from accepted.grade.exercise import load

Graded = Callable[..., Report]
HEAD = """
number = 7
slug = "toy"
title = "Toy"
size = "a minute"
points = 1
processes = []
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """Writes an exercise: the end of its toml, and its checks."""

    def write(toml: str, checks: str = "") -> Path:
        folder = tmp_path / "07-toy"
        folder.mkdir(exist_ok=True)
        (folder / "exercise.toml").write_text(HEAD + textwrap.dedent(toml))
        said = "from accepted.grade.verdict import Broken, Unknown\nfrom accepted.grade.evidence import Moment\n"
        (folder / "checks.py").write_text(said + textwrap.dedent(checks))
        return folder

    return write


@pytest.fixture
def graded(toy: Callable[..., Path], tmp_path: Path) -> Graded:
    """Grades such an exercise: `graded(checks, first=(), second=("first",))` names each check and what it needs."""

    def run(checks: str, seconds: float = 30, **names: tuple[str, ...]) -> Report:
        first, *_ = names
        lines = [f"seconds = {seconds}", f'intended = "{first}"']
        for name, needs in names.items():
            lines += [f"[checks.{name}]", f'says = "{name} holds"', f"needs = {list(needs)}"]
        return grade(load(toy("\n".join(lines), checks)), tmp_path, "rq", 1, tmp_path / "results")

    return run
