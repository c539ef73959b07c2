"""Whoever has only made the demo has no load client, no statistics and no notebooks; every command can still speak."""

import subprocess
import sys

import pytest

EXTRAS = "locust hdrh yaml jsonschema scipy numpy papermill jupytext nbconvert ipykernel matplotlib pandas"
BARE = f"""
import sys
sys.modules |= dict.fromkeys({EXTRAS.split()!r})
from accepted.cli import main
main(prog_name="accepted")
"""


def bare(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BARE, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_help_lists_every_command_where_no_extra_is_installed() -> None:
    told = bare("--help")
    assert told.returncode == 0, told.stderr
    assert {"demo", "load", "compare", "demand", "before-after", "notebooks", "simulate"} <= set(told.stdout.split())


@pytest.mark.parametrize("words", [["load", "burst"], ["compare", "rq", "celery"], ["demand"], ["before-after"],
                                   ["simulate", "."], ["notebooks"], ["bench", "pacer"]])  # fmt: skip
def test_a_command_that_needs_one_says_what_cures_it(words: list[str]) -> None:
    told = bare(*words)
    assert told.returncode == 1
    assert "is not installed" in told.stderr
    assert "make .venv/.ready-" in told.stderr
    assert "Traceback" not in told.stderr
