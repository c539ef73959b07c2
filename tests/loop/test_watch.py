"""`accepted watch` as somebody in front of a real terminal has it."""

import re
import termios
from pathlib import Path

import psutil
import pytest

from accepted.loop import journal
from accepted.loop.modules import digest
from accepted.loop.standing import standings
from accepted.loop.work import Work
from accepted.stack import processes
from tests.loop.watched import Terminal, save, verdicts


def test_each_save_is_graded_again(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"first .*work, rq")
    terminal.until(r"FAIL: 1 fail[\s\S]*again, with the same chances: \S+ -m accepted.cli check 1 --tree \S+/work ")
    for answer in ("wronger", "no", "right"):
        save(tree, answer)
        terminal.until(r"saved: answer.txt\r\n.*first .*work, rq")
        terminal.until(r"PASS: 1 pass" if answer == "right" else rf"the answer is {answer}[\s\S]*FAIL: 1 fail")
    assert verdicts(tree) == [(1, "fail"), (1, "fail"), (1, "fail"), (1, "pass")]
    assert journal.read(Work(tree))[-1]["modules"] == digest(tree, 1, "rq")


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
