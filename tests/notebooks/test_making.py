"""Notebooks run from their source to their page, and one whose cell fails is no success."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from accepted.cli import main
from accepted.stack.state import root

pytest.importorskip("papermill", reason="install what notebooks run in with: make .venv/.ready-notebooks")
from accepted.notebooks.making import make

BREAKS = '# %%\nprint("Made from a-run")\n# %%\nraise ValueError("too late")\n'


def test_a_notebook_runs_on_the_shipped_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCEPTED_BUNDLES", "shipped")
    made = make(root() / "notebooks" / "3-burst-and-drain.py", tmp_path, root())
    assert made.failed is None
    assert len(made.pictures) == 2 and all(each.stat().st_size > 10_000 for each in made.pictures)
    assert [each.split(":")[0] for each in made.bundles] == ["loadtests/bundles/burst-solutions-rq"]
    page = made.page.read_text()
    assert "The backlog of" in page
    assert 'alt="The backlog of' in page and "No description" not in page
    assert "<script src=" not in page and '<link rel="stylesheet"' not in page  # it needs nothing else


def test_a_cell_that_fails_fails_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "1-breaks.py").write_text(BREAKS)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["notebooks"])
    assert told.exit_code == 1
    assert "ValueError: too late" in told.output
    assert "a-run" in told.output
    assert "too late" in (tmp_path / "results" / "notebooks" / "1-breaks.html").read_text()


def test_a_notebook_without_a_run_is_named_with_the_command_that_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    source = '# %%\nfrom accepted.notebooks import choosing\n\nchoosing.run("burst")\n'
    (tmp_path / "notebooks" / "1-nothing.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["notebooks"])
    assert told.exit_code == 0
    assert "not made: there is no run of burst" in told.output
    assert "make load-burst" in told.output
    assert "0 of 1 notebooks ran" in told.output
