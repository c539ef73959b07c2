"""`accepted check` as a learner runs it: the exact exit code, the intended check, and nothing left running.

A known-bad takes a stack of its own, so here are a few of exercise 1; `make test-graders` takes all of every exercise.
"""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from accepted.grade.exercise import find, folders
from accepted.ladder import REFERENCE, ROOT, START, compose
from accepted.stack import processes
from tests.at_length import few_of
from tests.grade import trees
from tests.grade.trees import COMMAND, statuses

FEW = {(1, "looks-then-writes"), (1, "writes-before-it-reads")}
ALL = [
    (number, name)
    for number in folders()
    for name, bad in find(number).toml.known_bad.items()
    if not bad.backends or "rq" in bad.backends
]


def check(number: int, tree: Path, results: Path, *more: str) -> tuple[int, dict[str, Any]]:
    code, report = trees.check(tree, results, *more, number=number)
    assert json.loads((results / f"{number:02}.json").read_text()) == report
    return code, report


def test_the_reference_passes(tmp_path: Path) -> None:
    code, report = check(1, REFERENCE, tmp_path, "--seed", "3")
    assert (code, report["verdict"], report["seed"]) == (0, "pass", 3), report
    assert all(one["message"] for one in report["checks"])


def test_the_start_fails_on_the_intended_check_and_says_what_happened(tmp_path: Path) -> None:
    code, report = check(1, START, tmp_path)
    assert code == 1
    assert statuses(report)[find(1).start_intended] == "fail"
    broken = next(one for one in report["checks"] if one["name"] == find(1).start_intended)
    assert broken["evidence"] and broken["costs"] and "no answer in" in broken["difference"]
    assert "The app's own log of web" in Path(broken["file"]).read_text()


@pytest.mark.parametrize(("number", "name"), few_of(ALL, FEW))
def test_a_known_bad_fails_on_the_check_that_names_its_flaw(number: int, name: str, tmp_path: Path) -> None:
    exercise = find(number)
    code, report = check(number, exercise.known_bad(name, tmp_path / "tree"), tmp_path / "results")
    assert code == 1, report
    assert statuses(report)[exercise.toml.known_bad[name].fails] == "fail", report
    if number == 1:  # one flaw, one check: what is not skipped for it passes
        assert sorted(set(statuses(report).values()) - {"skipped"}) == ["fail", "pass"], report
        assert list(statuses(report).values()).count("fail") == 1, report


def test_a_tree_that_does_not_boot_fails_for_that_alone(tmp_path: Path) -> None:
    tree = compose(tmp_path / "tree", 1)
    (tree / "shared" / "routes.py").write_text("import nothing_of_that_name\n")
    code, report = check(1, tree, tmp_path / "results")
    assert code == 1
    assert {name for name, status in statuses(report).items() if status == "fail"} == {"boots"}
    assert {status for name, status in statuses(report).items() if name != "boots"} == {"skipped"}
    assert any("nothing_of_that_name" in line for line in Path(report["checks"][0]["file"]).read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["99"], "there is no exercise 99"),
        (["1", "--tree", "docs"], "Procfile"),
        (["one"], "is not a valid integer"),
        (["1", "--backend", "kafka"], "is not one of"),
    ],
)
def test_asked_for_wrongly_it_says_so_and_exits_2(arguments: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path) -> None:
    grader = subprocess.Popen(
        [*COMMAND, "1", "--tree", str(REFERENCE), "--results", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    began: set[psutil.Process] = set()

    def servers_are_up() -> bool:
        began.update(psutil.Process(grader.pid).children(recursive=True))
        return any("accepted.partner" in " ".join(_command(each)) for each in began)

    assert processes.until(servers_are_up, 60, pause=0.1)
    servers_are_up()
    grader.send_signal(signal.SIGINT)
    asked = time.monotonic()
    said, _ = grader.communicate(timeout=60)
    assert grader.returncode == 130, said
    assert time.monotonic() - asked < 40
    assert processes.until(lambda: all(processes.gone(each) for each in began), 10), began


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_report_for_others_that_can_not_be_written_hides_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [*COMMAND, "1", "--tree", str(REFERENCE), "--results", str(tmp_path / "results")]
    done = subprocess.run(
        [*command, "--junit", str(tmp_path / "file" / "j.xml")], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 3, "1 would say that a check failed"
    assert "PASS: " in done.stdout and "cannot write" in done.stderr and "Traceback" not in done.stderr
    assert json.loads((tmp_path / "results" / "01.json").read_text())["verdict"] == "pass"
