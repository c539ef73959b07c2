"""A Procfile is read as others read it, and a wrong one is named by its line."""

from pathlib import Path

import pytest

from accepted.stack.errors import Problem
from accepted.stack.procfile import parse, read, select


def test_processes_keep_their_order_and_commands_their_colons() -> None:
    text = "# the app\nrelease: python -m app migrate\n\n  web:python -m app web --bind 127.0.0.1:$PORT\nworker-io: w\n"
    assert list(parse(text).items()) == [
        ("release", "python -m app migrate"),
        ("web", "python -m app web --bind 127.0.0.1:$PORT"),
        ("worker-io", "w"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("web python", "line 1"),
        ("web: a\nweb: b", "line 2 names web a second time"),
        ("a: b\nbad name: c", "line 2"),
        ("web:", "line 1"),
    ],
)
def test_a_wrong_line_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)


def test_a_missing_or_binary_procfile_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"no such file or directory.*--tree DIR"):
        read(tmp_path / "Procfile")
    (tmp_path / "Procfile").write_bytes(b"\xff\xfe")
    with pytest.raises(Problem, match="is no Procfile"):
        read(tmp_path / "Procfile")


def test_chosen_processes_come_with_their_release_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    commands = parse("release: r\nweb: w\nrelay: y\n")
    assert list(select(commands, ["relay"], tmp_path)) == ["release", "relay"]
    with pytest.raises(Problem, match=r"no process rely.*has release, web, relay"):
        select(commands, ["rely"], tmp_path)
