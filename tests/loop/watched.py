"""What is watched in tests, exercises that boot nothing, and the terminal of whoever looks on."""

import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from accepted.loop import journal
from accepted.loop.work import Work

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


def lay(tree: Path) -> None:
    """A tree and, beside it, two exercises that ask for nothing but an answer."""
    tree.mkdir()
    (tree / "Procfile").write_text("web: true\n")
    (tree / "answer.txt").write_text("wrong")
    Work(tree).save()
    for number, slug in ((1, "first"), (2, "second")):
        folder = tree.parent / "exercises" / f"{number:02}-{slug}"
        (folder / "hints").mkdir(parents=True)
        (folder / "exercise.toml").write_text(TOML.format(number=number, slug=slug))
        (folder / "checks.py").write_text(CHECKS)
        for level in (1, 2):
            (folder / "hints" / f"{level}.md").write_text(f"hint {level} of {slug}\n")


def command(tree: Path) -> list[str]:
    return [*COMMAND, str(tree), str(tree.parent / "exercises"), str(tree.parent / "results")]


def save(tree: Path, answer: str) -> None:
    """As editors do it: a new file in place of the old one."""
    (tree / ".answer.swp").write_text(answer)
    (tree / ".answer.swp").rename(tree / "answer.txt")


def verdicts(tree: Path) -> list[tuple[int, str]]:
    return [(one["exercise"], one["verdict"]) for one in journal.read(Work(tree)) if one["what"] == "graded"]
