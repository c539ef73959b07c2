"""`accepted watch` as somebody in front of it has it, on a real terminal and without one."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from accepted.ladder import ROOT
from accepted.loop import journal
from accepted.loop.standing import standings
from accepted.loop.work import Work
from accepted.stack import processes

TOML = """
number = {number}
slug = "{slug}"
title = "{slug}"
size = "a minute"
points = 5
processes = []
intended = "answer"
[checks.answer]
says = "the answer is right"
"""
CHECKS = """
import time
from accepted.grade.verdict import Broken

def check_answer(stage):
    answer = (stage.tree / "answer.txt").read_text()
    (stage.tree.parent / "asked").write_text(answer)
    deadline = time.monotonic() + 60
    while answer == "slow" and time.monotonic() < deadline:
        time.sleep(0.05)  # a slow scene, until it is called off
    if answer != "right":
        raise Broken(stimulus="asked", rule=f"the answer is {answer}", costs="a point", look="answer.txt", logs=())
    return "the answer is right"
"""
COMMAND = [sys.executable, "-m", "tests.loop.watching"]


@dataclass
class Terminal:
    """The learner's: `until` reads what is on it, `types` presses keys."""

    child: subprocess.Popen[bytes]
    fd: int
    slave: int
    screen: str = ""
    read: int = 0  # so much of the screen has been waited for
    before: list[object] = field(default_factory=list)

    def until(self, pattern: str, seconds: float = 40.0) -> str:
        """What came up to the end of the pattern."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.screen[self.read :])) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.screen[self.read :]}"
            if select.select([self.fd], [], [], 0.05)[0]:
                self.screen += os.read(self.fd, 65536).decode()
        came = self.screen[self.read : self.read + found.end()]
        self.read += found.end()
        return came

    def types(self, keys: str) -> None:
        os.write(self.fd, keys.encode())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "work"
    tree.mkdir()
    (tree / "Procfile").write_text("web: true\n")
    (tree / "answer.txt").write_text("wrong")
    Work(tree).save()
    for number, slug in ((1, "first"), (2, "second")):
        folder = tmp_path / "exercises" / f"{number:02}-{slug}"
        (folder / "hints").mkdir(parents=True)
        (folder / "exercise.toml").write_text(TOML.format(number=number, slug=slug))
        (folder / "checks.py").write_text(CHECKS)
        for level in (1, 2):
            (folder / "hints" / f"{level}.md").write_text(f"hint {level} of {slug}\n")
    return tree


def command(tree: Path) -> list[str]:
    return [*COMMAND, str(tree), str(tree.parent / "exercises"), str(tree.parent / "results")]


@pytest.fixture
def terminal(tree: Path) -> Iterator[Terminal]:
    fd, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    env = {**os.environ, "NO_COLOR": "1"}
    child = subprocess.Popen(
        command(tree), stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=env, start_new_session=True
    )
    yield Terminal(child, fd, slave, before=before)
    if child.poll() is None:
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(60)
    child.kill()
    os.close(fd)
    os.close(slave)


def save(tree: Path, answer: str) -> None:
    """As editors do it: a new file in place of the old one."""
    (tree / ".answer.swp").write_text(answer)
    (tree / ".answer.swp").rename(tree / "answer.txt")


def verdicts(tree: Path) -> list[tuple[int, str]]:
    return [(one["exercise"], one["verdict"]) for one in journal.read(Work(tree)) if one["what"] == "graded"]


def test_each_save_is_graded_again(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"first .*work, rq")
    terminal.until(r"FAIL: 1 fail")
    for answer in ("wronger", "no", "right"):
        save(tree, answer)
        terminal.until(r"saved: answer.txt\r\n.*first .*work, rq")
        terminal.until(r"PASS: 1 pass" if answer == "right" else rf"the answer is {answer}[\s\S]*FAIL: 1 fail")
    assert verdicts(tree) == [(1, "fail"), (1, "fail"), (1, "fail"), (1, "pass")]


def test_a_save_while_it_grades_calls_that_off_and_begins_again(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail")
    save(tree, "slow")
    terminal.until(r"first .*work, rq")
    grader = psutil.Process(terminal.child.pid)
    assert processes.until(lambda: (tree.parent / "asked").read_text() == "slow", 30)
    slow = grader.children()
    save(tree, "right")
    terminal.until(r"PASS: 1 pass")
    assert processes.until(lambda: all(map(processes.gone, slow)), 30), "what was called off is gone"
    assert verdicts(tree) == [(1, "fail"), (1, "pass")], "what was called off has no verdict"


def test_it_never_moves_on_by_itself_but_at_a_key(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail")
    for number in (1, 2):
        terminal.types("h")
        terminal.until(rf"hint {number} of first")
    save(tree, "right")
    assert "make exercise-2" in terminal.until(r"PASS: 1 pass[\s\S]*q quit")
    save(tree, "right")
    terminal.until(r"first .*work, rq[\s\S]*PASS: 1 pass[\s\S]*q quit")
    terminal.types("l")
    assert re.search(r"✓  1  first .*hints to level 2", terminal.until(r"second[^\n]*\n"))
    terminal.types("n")
    terminal.until(r"second .*work, rq[\s\S]*PASS: 1 pass[\s\S]*q quit")
    terminal.types("n")
    terminal.until("exercise 2 is the last one")
    assert [(one.number, one.points, one.hints) for one in standings(Work(tree), tree.parent / "exercises")] == [
        (1, 5, 2),
        (2, 5, 0),
    ]


def test_q_quits_and_leaves_the_terminal_as_it_was(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail[\s\S]*q quit")
    assert termios.tcgetattr(terminal.slave) != terminal.before
    terminal.types("q")
    assert terminal.child.wait(30) == 0
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_ctrl_c_while_it_grades_leaves_nothing_running(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail")
    save(tree, "slow")
    terminal.until(r"first .*work, rq")
    grader = psutil.Process(terminal.child.pid)
    assert processes.until(lambda: (tree.parent / "asked").read_text() == "slow", 30)
    began = grader.children(recursive=True)
    terminal.types("\x03")
    terminal.until("nothing is left running")
    assert terminal.child.wait(60) == 130
    assert processes.until(lambda: all(map(processes.gone, began)), 10), began
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_a_key_of_several_bytes_is_no_key(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail[\s\S]*q quit")
    terminal.types("\x1b[H\x1bOQ\x1b[17~\x1b[1;5H\x1bh")  # Home, F2, F6, Ctrl-Home, Alt-H
    terminal.types("l")
    assert "hint" not in terminal.until(r"first[\s\S]*second[^\n]*\n"), "the list says what was shown"
    assert terminal.child.poll() is None


def test_notes_that_can_not_be_written_do_not_end_the_watch(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail[\s\S]*q quit")
    Work(tree).journal.unlink()
    Work(tree).journal.mkdir()
    save(tree, "right")
    terminal.until(r"cannot write .*journal.jsonl[\s\S]*PASS: 1 pass[\s\S]*q quit")
    terminal.types("h")
    terminal.until(r"cannot write .*journal.jsonl")
    Work(tree).journal.rmdir()
    save(tree, "right")
    terminal.until(r"PASS: 1 pass")
    assert verdicts(tree) == [(1, "pass")]


def test_a_tree_that_is_thrown_away_while_it_is_graded_stays_away(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail[\s\S]*q quit")
    save(tree, "slow")
    asked = tree.parent / "asked"
    assert processes.until(lambda: asked.read_text() == "slow", 30)
    shutil.rmtree(tree)
    terminal.until(r"saved: [\s\S]*cannot read .*Procfile[\s\S]*q quit")
    terminal.types("h")
    terminal.until(r"hint 1 of first")
    assert not tree.exists(), "`accepted start` finds an empty place"


def test_what_takes_too_long_to_end_is_not_said_to_be_gone(
    tree: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("LEAVING", "0")
    terminal: Terminal = request.getfixturevalue("terminal")
    terminal.until(r"FAIL: 1 fail[\s\S]*q quit")
    save(tree, "slow")
    assert processes.until(lambda: (tree.parent / "asked").read_text() == "slow", 30)
    terminal.types("\x03")
    terminal.until("stopped; what it started is still ending")
    assert terminal.child.wait(60) == 130


def test_a_tree_that_goes_away_and_comes_back_is_no_end(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail")
    (tree / "Procfile").rename(tree.parent / "Procfile")
    terminal.until(r"cannot read .*Procfile")
    save(tree, "right")
    (tree.parent / "Procfile").rename(tree / "Procfile")
    terminal.until(r"PASS: 1 pass")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_it_grades_all_the_same_a_line_of_json_each(tree: Path, number: signal.Signals) -> None:
    child = subprocess.Popen([*command(tree), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["verdict"] == "fail"
        save(tree, "right")
        assert json.loads(child.stdout.readline())["verdict"] == "pass"
        child.send_signal(number)
        assert child.wait(60) == 130
        assert child.stdout.read() == b""
    finally:
        child.kill()
        child.communicate()
