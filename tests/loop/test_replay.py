"""The line under a check that failed is copied and typed as it stands, wherever somebody stands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from accepted.ladder import ROOT
from accepted.loop import telling
from accepted.loop.telling import replay
from tests.loop.conftest import Typed, said
from tests.loop.test_default_tree import FROM_MAKE

HEARD = r"""#!/bin/sh
printf '%s\n' "${TREE-no TREE}" "${BACKEND-no BACKEND}" "${SEED-no SEED}" "$@"
"""


@pytest.fixture
def checkout(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With our Makefile, and an `accepted` that says how it was called; one stands at its root."""
    (here / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, here / name)
    (here / ".venv/.ready").touch()
    (here / ".venv/bin/accepted").write_text(HEARD)
    (here / ".venv/bin/accepted").chmod(0o755)
    monkeypatch.setattr(telling, "ROOT", here.resolve())
    monkeypatch.setattr(sys, "argv", [".venv/bin/accepted", "check"])
    return here


def typed(line: str) -> list[str]:
    """What `accepted` hears: TREE, BACKEND, SEED and its arguments."""
    environ = {name: value for name, value in os.environ.items() if name not in FROM_MAKE or name == "TREE"}
    done = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("tree", ["solutions", "exercises/start", "it's & mine", "100 %", "a=b:c", "~ann"])
def test_at_the_root_it_is_makes(checkout: Path, tree: str) -> None:
    line = replay(3, Path(tree), "celery-redis", 7)
    assert line.startswith("make exercise-3 TREE=")
    assert typed(line) == [tree, "celery-redis", "7", "check", "3"]


def test_the_learners_tree_is_not_named_where_none_else_would_be_taken(
    accepted: Typed, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "TREE=work" in replay(3, Path("work"), "rq", 1), "a folder of that name is nobody's tree"
    said(accepted("start", "--json"))
    assert replay(3, Path("work"), "rq", 1) == "make exercise-3 BACKEND=rq SEED=1"
    assert typed(replay(3, Path("work"), "rq", 1)) == ["no TREE", "rq", "1", "check", "3"]
    monkeypatch.setenv("TREE", "solutions")
    assert typed(replay(3, Path("work"), "rq", 1)) == ["work", "rq", "1", "check", "3"]


@pytest.mark.parametrize("tree", ["../mine", "/else/where", "a$b", "a#b", "back\\slash"])
def test_what_make_would_not_take_as_it_is_goes_to_the_command(checkout: Path, tree: str) -> None:
    words = ["check", "3", "--tree", tree, "--backend", "rq", "--seed", "7"]
    assert typed(replay(3, Path(tree), "rq", 7))[3:] == words


def test_an_app_of_ones_own_is_graded_by_the_command(checkout: Path) -> None:
    line = replay(3, Path("my app"), "rq", 7, app=True)
    assert line == ".venv/bin/accepted check 3 --app 'my app' --backend rq --seed 7"
    assert typed(line)[3:] == ["check", "3", "--app", "my app", "--backend", "rq", "--seed", "7"]


def test_elsewhere_it_is_the_command_as_it_was_called(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "my home").mkdir()
    monkeypatch.chdir(checkout / "my home")
    monkeypatch.setattr(sys, "argv", ["../.venv/bin/accepted"])
    assert typed(replay(3, Path("../work"), "rq", 7))[3:6] == ["check", "3", "--tree"]
    (checkout / "my home/accepted").write_text(HEARD)
    (checkout / "my home/accepted").chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(checkout / "my home/accepted")])
    assert typed(replay(3, Path("../work"), "rq", 7))[3:6] == ["check", "3", "--tree"]
    monkeypatch.setattr(sys, "argv", ["/src/accepted/cli.py"])  # python -m accepted.cli
    assert replay(3, Path("w"), "rq", 7).startswith(f"{sys.executable} -m accepted.cli check 3 ")


def test_by_its_name_where_the_path_leads_to_it_and_to_no_other(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{checkout / '.venv/bin'}:{os.environ['PATH']}")
    assert replay(3, Path("../w"), "rq", 7).startswith("accepted check 3 ")
    (checkout / "bin").mkdir()
    shutil.copy(checkout / ".venv/bin/accepted", checkout / "bin/accepted")
    monkeypatch.setenv("PATH", f"{checkout / 'bin'}:{os.environ['PATH']}")
    assert replay(3, Path("../w"), "rq", 7).startswith(".venv/bin/accepted check 3 ")
