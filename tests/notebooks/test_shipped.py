"""The runs that come with the repository, and which one a notebook takes."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from accepted.load.bundle import read_lines
from accepted.notebooks import choosing, shipping
from accepted.stack.errors import Problem
from accepted.stack.state import root

SHIPPED = sorted(path.parent for path in (root() / choosing.SHIPPED).glob("**/manifest.json"))
BURST = root() / choosing.SHIPPED / "burst-solutions-rq"


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_run_is_what_the_schemas_say(folder: Path) -> None:
    rules = {name: json.loads((root() / "loadtests" / "schema" / f"{name}.json").read_text())
             for name in ("manifest", "events", "samples", "faults", "summary", "verdict")}  # fmt: skip
    for part in choosing.PARTS:
        name, _, ending = part.partition(".")
        rows = read_lines(folder / part) if "gz" in ending else [json.loads((folder / part).read_text())]
        check = jsonschema.Draft202012Validator(rules[name])
        assert rows, part
        assert not [error.message for row in rows for error in check.iter_errors(row)]


def test_they_are_small() -> None:
    assert shipping.size(SHIPPED) < 2_000_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own, in which a run ships with it."""
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(BURST, tmp_path / choosing.SHIPPED / "burst")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(place: Path, name: str, later: float, code: int = 0) -> Path:
    folder = place / choosing.MADE / name
    shutil.copytree(BURST, folder)
    for part, changes in (
        ("manifest", {"zero": choosing.manifest(BURST)["zero"] + later}),
        ("verdict", {"code": code}),
    ):
        path = folder / f"{part}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_the_newest_valid_run_is_taken(place: Path) -> None:
    add(place, "older", -20)
    newest = add(place, "newest", -10, code=99)
    add(place, "worth-nothing", 0, code=98)
    (place / choosing.MADE / "interrupted").mkdir()
    assert choosing.run("burst").folder == newest


def test_asked_for_shipped_runs_nothing_else_is_taken(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(place, "newer", 10)
    monkeypatch.setenv(choosing.ONLY, "shipped")
    assert choosing.run("burst").folder == place / choosing.SHIPPED / "burst"


def test_what_is_missing_is_told_with_the_command_that_makes_it(place: Path) -> None:
    with pytest.raises(Problem, match="make load-burst BACKEND=celery-redis TREE=exercises/start"):
        choosing.run("burst", "start", "celery-redis")


def test_what_is_made_smaller_loses_no_event(tmp_path: Path) -> None:
    made = shipping.ship(BURST, tmp_path)
    before, after = (read_lines(each / "events.jsonl.gz") for each in (BURST, made))
    assert [row["n"] for row in after] == [row["n"] for row in before]
    assert not any(row["job"] for row in after)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_is_counted_from_the_events_is_what_the_run_said(folder: Path) -> None:
    pytest.importorskip("pandas", reason="install what notebooks run in with: make .venv/.ready-notebooks")
    from accepted.load.report import Bundle
    from accepted.notebooks.jobs import ledger

    of = Bundle(folder)
    found = ledger(of)
    assert found["lost"] == len(of.summary["lost"])
    assert found["done"] == of.summary["counts"]["done"]
