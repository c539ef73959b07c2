"""Whatever a tree does, and whatever happens around it: a clear verdict or message, nothing left running, and nothing
of the learner's touched."""

import json
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from accepted.grade.exercise import find
from accepted.grade.stage import Stage
from accepted.ladder import REFERENCE, ROOT, compose, files
from accepted.stack import processes
from accepted.stack.errors import Problem
from tests.grade.conftest import Graded
from tests.grade.trees import COMMAND, check, failed, running, statuses, with_code, with_web

QUICKLY = {"ACCEPTED_BOOT_SECONDS": "12"}
MEDDLER = """
import json, os, subprocess
from pathlib import Path

forged = json.dumps({{"result": {{"name": "answers-at-once", "status": "pass", "message": "forged"}}}})
print(forged, flush=True)
for number in range(3, 20):
    try:
        os.write(number, forged.encode() + b"\\n")
    except OSError:
        pass
results = Path({results!r})
(results / "01").mkdir(parents=True, exist_ok=True)
(results / "01.json").write_text('{{"verdict": "pass", "exit": 0, "checks": []}}')
(results / "01" / "answers-at-once.txt").write_text("forged")
subprocess.Popen(["setsid", "-f", "env", "-i", "sleep", {nap!r}], start_new_session=True)
"""
EATER = "_eaten = [bytearray(b'x') * 2**25 for _ in range(64)]\n"  # 2 GiB before it serves


@dataclass(frozen=True)
class Meddled:
    code: int
    report: dict[str, Any]
    results: Path
    nap: str
    before: dict[str, bytes]
    after: dict[str, bytes]


@pytest.fixture(scope="module")
def meddled(tmp_path_factory: pytest.TempPathFactory) -> Meddled:
    """A tree that answers 200, and does what it can to be told that it passes; it leaves a daemon behind as well."""
    folder = tmp_path_factory.mktemp("meddler")
    results, nap = folder / "results", f"9{secrets.randbelow(10**8):08}"
    code = MEDDLER.format(results=str(results), nap=nap)
    tree = with_code(folder / "tree", code, "says-200")
    (results / "01").mkdir(parents=True)
    (results / "01" / "my-notes.txt").write_text("mine")
    before = contents(tree)
    exit_code, report = check(tree, results)
    return Meddled(exit_code, report, results, nap, before, contents(tree))


def contents(tree: Path) -> dict[str, bytes]:
    return {path: (tree / path).read_bytes() for path in files(tree)}


def test_who_forges_results_is_told_the_truth_all_the_same(meddled: Meddled) -> None:
    assert meddled.code == 1
    assert failed(meddled.report)["name"] == "answers-at-once"
    assert "expected 202, found 200" in failed(meddled.report)["difference"]


def test_who_writes_to_the_results_finds_them_written_over(meddled: Meddled) -> None:
    assert json.loads((meddled.results / "01.json").read_text()) == meddled.report
    assert "expected 202" in Path(failed(meddled.report)["file"]).read_text()


def test_a_daemon_without_parent_session_and_environment_is_ended(meddled: Meddled) -> None:
    log = (meddled.results / "01" / "grader.log").read_text()
    assert not running(meddled.nap), log


def test_no_file_of_the_learner_is_touched(meddled: Meddled) -> None:
    assert meddled.after == meddled.before
    assert (meddled.results / "01" / "my-notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("port", "healthz", "said"),
    [
        ("0", 200, "it listens on "),
        ("int(os.environ['PORT'])", 500, "it answers 500"),
        ("int(os.environ['PORT'])", 200, "expected 200, found 500"),
    ],
    ids=["listens on the wrong port", "answers 500 to everything", "answers 500 to all but healthz"],
)
def test_a_web_that_does_not_serve_fails_with_what_is_there_instead(
    tmp_path: Path, port: str, healthz: int, said: str
) -> None:
    code, report = check(with_web(tmp_path / "tree", port, healthz), tmp_path / "results", **QUICKLY)
    assert code == 1
    assert failed(report)["name"] == "boots" and said in failed(report)["difference"]
    assert set(statuses(report).values()) == {"fail", "skipped"}


def test_a_tree_that_hangs_at_boot_fails_for_that(tmp_path: Path) -> None:
    tree = with_code(tmp_path / "tree", "import time\ntime.sleep(3600)\n")
    code, report = check(tree, tmp_path / "results", **QUICKLY)
    assert code == 1
    assert failed(report)["name"] == "boots"
    assert "12 s" in failed(report)["difference"] and "it listens nowhere" in failed(report)["difference"]


def test_a_tree_that_eats_memory_is_ended_before_the_machine_is(tmp_path: Path) -> None:
    code, report = check(with_code(tmp_path / "tree", EATER), tmp_path / "results")
    assert code == 1
    assert "GiB" in failed(report)["difference"] and "ended for that" in failed(report)["difference"]
    assert list(statuses(report).values()).count("fail") == 1, "one cause, one verdict"


def test_without_rabbitmq_it_says_how_to_get_it(tmp_path: Path) -> None:
    command = [*COMMAND, "1", "--tree", "solutions", "--backend", "celery-rabbitmq", "--results", str(tmp_path)]
    env = {**os.environ, "PATH": str(tmp_path), "BROKER_URL": ""}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "make rabbitmq" in done.stderr and "Traceback" not in done.stderr


def test_a_server_that_this_machine_lacks_is_no_fault_of_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ACCEPTED_REDIS", "path")
    stage = Stage(find(1), REFERENCE, "rq", 1)
    try:
        with pytest.raises(Problem, match="no usable Redis"):
            stage.boot()
    finally:
        stage.close()


def test_where_results_can_not_be_written_it_says_so_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file of that name")
    command = [*COMMAND, "1", "--tree", "solutions", "--results", str(tmp_path / "results" / "deeper")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot write" in done.stderr and "Traceback" not in done.stderr


def test_two_at_the_same_time_have_a_verdict_each_and_the_results_are_one_of_them(tmp_path: Path) -> None:
    tree, results = with_code(tmp_path / "tree", "", "says-200"), tmp_path / "results"
    command = [*COMMAND, "1", "--tree", str(tree), "--json", "--results", str(results)]
    both = [
        subprocess.Popen([*command, "--seed", seed], cwd=ROOT, stdout=subprocess.PIPE, text=True) for seed in ("1", "2")
    ]
    told = [json.loads(each.communicate(timeout=240)[0]) for each in both]
    assert [each.returncode for each in both] == [1, 1]
    assert statuses(told[0]) == statuses(told[1])
    kept = json.loads((results / "01.json").read_text())
    assert kept in told
    seen = Path(failed(kept)["file"]).read_text()
    assert all(line in seen for line in failed(kept)["evidence"]), "the evidence is of the same run"


def test_a_grader_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    nap = f"8{secrets.randbelow(10**8):08}"
    daemon = f"import subprocess\nsubprocess.Popen(['setsid', '-f', 'sleep', '{nap}'], start_new_session=True)\n"
    tree = with_code(tmp_path / "tree", daemon)
    grader = subprocess.Popen([*COMMAND, "1", "--tree", str(tree), "--results", str(tmp_path / "results")], cwd=ROOT)
    assert processes.until(lambda: bool(running(nap)), 90, pause=0.2), "its web is up"
    began = set(psutil.Process(grader.pid).children(recursive=True))
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    assert processes.until(lambda: not running(nap) and all(map(processes.gone, began)), 60, pause=0.2), began


def test_checks_that_change_while_they_judge_judge_nothing(graded: Graded) -> None:
    report = graded(
        "def check_first():\n    open(__file__, 'a').write('# as I like it')\n    return 'all is well'", first=()
    )
    assert (report.verdict, report.exit) == ("grader-error", 3)
    assert "checks.py" in report.checks[-1].message and "git diff" in report.checks[-1].message


def test_a_tree_of_which_a_file_is_missing_fails_and_keeps_the_rest(tmp_path: Path) -> None:
    tree = compose(tmp_path / "tree", 1)
    (tree / "__main__.py").unlink()
    code, report = check(tree, tmp_path / "results")
    assert code == 1
    assert failed(report)["name"] == "boots" and "release failed" in failed(report)["difference"]
