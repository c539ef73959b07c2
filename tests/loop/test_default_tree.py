"""What `make exercise-N` grades where nobody names a tree: the learner's, never one whose pass is nobody's."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from accepted.grade.exercise import folders
from accepted.ladder import ROOT
from accepted.loop import journal
from accepted.loop.modules import digest
from accepted.loop.work import Work, to_grade
from accepted.stack.errors import Problem
from tests.loop.conftest import Typed, said

# What a make around the tests hands on, its variables included.
FROM_MAKE = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS", "BACKEND", "TREE", "STACK", "SEED", "N")


def made(*arguments: str) -> str:
    """What make would run, the last line of it."""
    plain = {name: value for name, value in os.environ.items() if name not in FROM_MAKE}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1].strip()


def test_the_tree_that_is_named_comes_first_then_the_learners(accepted: Typed, here: Path) -> None:
    with pytest.raises(Problem, match="make start"):
        to_grade(None, {})
    said(accepted("start", "--json"))
    assert to_grade(None, {}) == Path("work")
    assert to_grade(None, {"TREE": "solutions"}) == Path("solutions")
    assert to_grade("mine", {"TREE": "solutions"}) == Path("mine")


def test_a_folder_of_that_name_that_is_no_tree_is_not_graded(accepted: Typed, here: Path) -> None:
    (here / "work").mkdir()
    (here / "work/Procfile").write_text("web: true\n")
    result = accepted("check", "1")
    assert result.exit_code == 2 and "make start" in result.stderr


def test_a_grading_of_the_learners_tree_is_written_down_and_says_what_to_do_next(accepted: Typed, here: Path) -> None:
    said(accepted("start", "--at", "2", "--json"))
    (here / "work/__main__.py").unlink()
    result = accepted("check", "1")
    assert result.exit_code == 1, result.output
    assert "make hint-1" in result.output and "exercises/01-accept/README.md" in result.output
    (event,) = [one for one in journal.read(Work(here / "work")) if one["what"] == "graded"]
    assert (event["exercise"], event["verdict"], event["given"]) == (1, "fail", True)
    assert event["modules"] == digest(here / "work", 1, "rq")
    assert "again, with the same chances: " in result.output and "check 1 --tree work --backend rq" in result.output
    assert json.loads((here / "results/01.json").read_text())["tree"] == "work"


def test_make_says_only_what_was_asked_for() -> None:
    assert re.match(r"env -u BACKEND -u TREE \S+/accepted check 3$", made("exercise-3"))
    assert re.match(r"env\s+-u TREE \S+/accepted check 3$", made("exercise-3", "BACKEND=celery-redis"))
    assert re.match(r"env -u BACKEND\s+\S+/accepted check 3$", made("exercise-3", "TREE=solutions"))
    assert re.match(r"env\s+-u TREE \S+/accepted diff 2$", made("diff-2", "BACKEND=celery-redis"))
    assert re.match(r"env -u BACKEND -u TREE \S+/accepted diff 2$", made("diff-2")), "the tree's own, not ours"
    assert made("start", "N=5").endswith("accepted start --at 5")
    assert made("catch-up-5").endswith("accepted catch-up 5") and made("watch").endswith("accepted watch")


def test_a_shell_that_completes_targets_finds_each_exercise_by_its_number() -> None:
    database = subprocess.run(["make", "-npq"], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    for number in folders():
        for verb in ("exercise", "hint", "diff", "catch-up", "reset"):
            assert re.search(rf"^{verb}-{number}:", database, re.MULTILINE), f"{verb}-{number} is no target by name"
