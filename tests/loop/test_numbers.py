"""An exercise is called by its number, as folders and results write it too; any other is a usage error."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from accepted.cli import main
from tests.loop.conftest import Typed, said


@pytest.mark.parametrize("command", ["hint", "diff", "catch-up", "reset", "check"])
def test_an_exercise_that_is_not_there_is_a_usage_error_that_names_those_that_are(
    accepted: Typed, command: str
) -> None:
    for number in ("0", "99", "one", "²"):
        result = accepted(command, number)
        assert result.exit_code == 2 and "there are 1, 2, 3" in result.output


def test_leading_zeros_are_taken_wherever_a_number_is(accepted: Typed, here: Path) -> None:
    assert said(accepted("start", "--at", "03", "--json"))["next"] == 3
    for command in ("hint", "diff", "reset", "catch-up"):
        assert said(accepted(command, "003", "--json"))["exercise"] == 3
    result = accepted("check", "03", "--tree", "nowhere")
    assert result.exit_code == 2 and "nowhere/Procfile" in result.stderr, "it is the tree that is not there"


@pytest.mark.parametrize("command", ["check", "watch", "hint", "diff"])
def test_a_shell_completes_them(command: str) -> None:
    shell = ShellComplete(main, {}, "accepted", "_ACCEPTED_COMPLETE")
    assert [one.value for one in shell.get_completions([command], "1")] == ["1", "11"]
