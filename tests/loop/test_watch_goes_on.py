"""What goes wrong while `accepted watch` looks on does not end it, and is told: to a person, and to a program."""

import contextlib
import json
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from accepted.ladder import ROOT
from accepted.loop.work import Work
from accepted.stack import processes
from tests.loop.watched import Terminal, command, save, verdicts


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


def test_a_tree_that_goes_away_and_comes_back_is_no_end(tree: Path, terminal: Terminal) -> None:
    terminal.until(r"FAIL: 1 fail")
    (tree / "Procfile").rename(tree.parent / "Procfile")
    terminal.until(r"cannot read .*Procfile")
    save(tree, "right")
    (tree.parent / "Procfile").rename(tree / "Procfile")
    terminal.until(r"PASS: 1 pass")


@dataclass
class Program:
    """One that reads lines from a watch, as it comes."""

    child: subprocess.Popen[bytes]

    def hears(self) -> dict[str, Any]:
        out = self.child.stdout
        assert out is not None and select.select([out], [], [], 40)[0], "it waits, and nothing is said"
        line: dict[str, Any] = json.loads(out.readline())
        return line


@pytest.fixture
def program(tree: Path) -> Iterator[Program]:
    child = subprocess.Popen(
        [*command(tree), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0
    )
    yield Program(child)
    if child.poll() is None:
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(60)
    child.kill()
    child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_it_grades_all_the_same_a_line_of_json_each(
    tree: Path, program: Program, number: signal.Signals
) -> None:
    assert program.hears()["verdict"] == "fail"
    save(tree, "right")
    assert program.hears()["verdict"] == "pass"
    program.child.send_signal(number)
    assert program.child.wait(60) == 130
    assert program.child.stdout and program.child.stdout.read() == b""


def test_a_program_hears_of_each_problem_in_a_line_too(tree: Path, program: Program) -> None:
    assert program.hears()["verdict"] == "fail"
    away, toml = tree.parent / "Procfile", tree.parent / "exercises/01-first/exercise.toml"
    (tree / "Procfile").rename(away)
    problem = program.hears()["problem"]
    assert "Procfile" in problem["what"] and problem["why"] and problem["cure"] and problem["details"] == []
    whole = toml.read_text()
    toml.write_text("number =")
    away.rename(tree / "Procfile")
    assert "exercise.toml" in program.hears()["problem"]["what"]
    toml.write_text(whole)
    Work(tree).journal.unlink()
    Work(tree).journal.mkdir()
    save(tree, "right")
    assert program.hears()["verdict"] == "pass", "the verdict first: it is what is waited for"
    assert "journal.jsonl" in program.hears()["problem"]["what"]
