"""`accepted graders` and `accepted flake` as an author runs them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from accepted.ladder import ROOT
from accepted.stack import processes

GRADERS = [sys.executable, "-m", "accepted.cli", "graders", "--backend", "rq", "--ex", "1"]
FLAKE = [sys.executable, "-m", "accepted.cli", "flake", "1", "--times", "2", "--one-core", "--json"]


def test_what_was_found_is_told_and_known_the_next_time(tmp_path: Path) -> None:
    command = [*GRADERS, "--only", "known-bad/says-200", "--json", "--results", str(tmp_path)]
    for turn in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        (case,) = json.loads(done.stdout)["cases"]
        assert (case["id"], case["came"]) == ("01/rq/known-bad/says-200", "as it must")
        assert len((tmp_path / "graders.jsonl").read_text().splitlines()) == 1, f"turn {turn} runs nothing anew"
    assert "1 known-bads, caught in 1 of 1 gradings" in json.loads(done.stdout)["said"]


def test_nothing_to_run_is_no_success() -> None:
    done = subprocess.run([*GRADERS, "--only", "no such case"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3


def test_an_exercise_that_is_not_there_is_asked_for_wrongly() -> None:
    done = subprocess.run([*GRADERS, "--ex", "99"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "there is no exercise 99" in done.stderr


def test_ctrl_c_ends_all_that_run_side_by_side_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = [*GRADERS, "--jobs", "2", "--results", str(tmp_path)]
    graders = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    began: set[psutil.Process] = set()

    def two_are_up() -> bool:
        began.update(psutil.Process(graders.pid).children(recursive=True))
        return sum("accepted.grade.child" in " ".join(words(each)) for each in began) == 2 and len(began) > 4

    assert processes.until(two_are_up, 90, pause=0.1)
    graders.send_signal(signal.SIGINT)
    said, _ = graders.communicate(timeout=90)
    assert graders.returncode == 130 and "goes on from here" in said
    assert processes.until(lambda: all(map(processes.gone, began)), 20), began


@pytest.mark.graders  # four of them, on one core
def test_a_grader_says_the_same_each_time_also_on_one_core() -> None:
    done = subprocess.run(FLAKE, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert [(tree["tree"], len(tree["seconds"]), tree["differ"]) for tree in told["trees"]] == [
        ("reference", 2, {}),
        ("start", 2, {}),
    ]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
