"""A tree that comes up and does not stay up: the fault is told as the tree's own, once, and at the first check that
needed what is gone."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from accepted.grade.answer import Answer
from accepted.grade.appetite import GIB, MANY, Eaten, too_much
from accepted.grade.booting import is_the_trees
from accepted.grade.verdict import Broken
from accepted.ladder import compose
from accepted.stack.errors import Problem
from tests.grade.trees import check, failed, statuses, with_code

PROCFILE = ("web", "relay", "worker-io")
AWAY = f"""
import subprocess
_eater = subprocess.Popen([{sys.executable!r}, "-c",
    "eaten = [bytearray(b'x') * 2**25 for _ in range(64)]; print('full', flush=True); import time; time.sleep(90)"],
    start_new_session=True, stdout=subprocess.PIPE)
_eater.stdout.readline()
"""
FORKS = f"import subprocess\n_forked = [subprocess.Popen(['sleep', '90']) for _ in range({MANY + 50})]\n"


@pytest.mark.parametrize(
    ("number", "module", "code", "process", "said"),
    [
        (3, "effects.py", "from .core import Reciept\n", "worker-io", "cannot import name 'Reciept'"),
        (7, "relay.py", "def half a function\n", "relay.", "SyntaxError"),
    ],
)
def test_a_module_that_only_a_worker_or_a_relay_imports_is_as_much_the_trees_as_its_routes(
    tmp_path: Path, number: int, module: str, code: str, process: str, said: str
) -> None:
    tree = compose(tmp_path / "tree", number)
    (tree / "shared" / module).write_text(code)
    status, report = check(tree, tmp_path / "results", number=number)
    assert status == 1, report
    assert list(statuses(report).values()).count("fail") == 1, "one cause, one verdict"
    assert set(statuses(report).values()) <= {"pass", "fail", "skipped"}, report
    assert failed(report)["difference"].startswith(process)
    assert " ended 5 times" in failed(report)["difference"]
    assert any(said in line for line in failed(report)["evidence"]), "without opening a file"


@pytest.mark.parametrize(
    ("what", "theirs"),
    [
        ("worker-io ended 5 times in 10 s", True),
        ("relay.2 ended 5 times in 10 s", True),
        ("release failed", True),
        ("no process worker-cpu in the Procfile", True),
        ("partner ended 5 times in 10 s", False),
        ("PostgreSQL did not start", False),
    ],
)
def test_whose_fault_it_is_follows_from_what_ended(what: str, theirs: bool) -> None:
    assert is_the_trees(Problem(what, "why", "cure"), PROCFILE) == theirs


def test_who_eats_in_a_session_of_its_own_is_seen_all_the_same(tmp_path: Path) -> None:
    code, report = check(with_code(tmp_path / "tree", AWAY), tmp_path / "results")
    assert code == 1
    assert failed(report)["difference"].startswith("web (process ") and "GiB" in failed(report)["difference"]


def test_who_forks_without_end_is_ended_before_the_machine_is(tmp_path: Path) -> None:
    code, report = check(with_code(tmp_path / "tree", FORKS), tmp_path / "results")
    assert code == 1
    assert failed(report)["difference"].startswith("web has ")
    assert list(statuses(report).values()).count("fail") == 1, "one cause, one verdict"


@pytest.mark.parametrize(
    ("many", "each", "told"),
    [(30, 0.1, ""), (MANY, 0.001, ""), (MANY + 1, 0.001, "as many as"), (1, 1.6, "GiB"), (30, 0.2, "GiB")],
)
def test_how_many_and_how_large_is_too_much(many: int, each: float, told: str) -> None:
    eaten = {_Process(pid): ("web", int(each * GIB)) for pid in range(many)}
    broken = too_much(cast(Eaten, eaten))
    assert told in broken.rule if broken and told else broken is None and not told


@dataclass(frozen=True)
class _Process:
    pid: int


def test_an_answer_without_a_natural_key_is_told_to_the_tree() -> None:
    answer = Answer("POST /v1/payouts", 0.0, 1.0, 202, text='{"job": {"id": "x"}}', body={"job": {"id": "x"}})
    with pytest.raises(Broken) as told:
        assert answer.natural_key
    assert "expected job.natural_key" in told.value.difference
