"""The ladder's trees, and what is found of a climb that was interrupted."""

import json
from pathlib import Path

from accepted.ascent import climbing
from accepted.ladder import REFERENCE, START


def verdict(folder: Path, run: str, code: int) -> Path:
    made = folder / run
    made.mkdir(parents=True)
    (made / "verdict.json").write_text(json.dumps({"code": code}))
    return made


def test_it_begins_with_the_first_app_and_ends_with_the_reference(tmp_path: Path) -> None:
    ladder = climbing.ladder()
    assert climbing.laid(ladder[0], tmp_path) == START
    assert climbing.laid(ladder[-1], tmp_path) == REFERENCE
    between = climbing.laid(ladder[1], tmp_path)
    routes = Path("shared", "routes.py")
    assert (between / routes).read_bytes() == (REFERENCE / routes).read_bytes()
    effects = Path("shared", "effects.py")
    assert (between / effects).read_bytes() == (START / effects).read_bytes()


def test_a_run_that_is_worth_nothing_is_none_of_the_climb(tmp_path: Path) -> None:
    first, last = climbing.ladder()[0], climbing.ladder()[-1]
    good = verdict(tmp_path / first.folder, "20260101-000000-year-end-rq", 97)
    verdict(tmp_path / first.folder, "20260101-000100-year-end-rq", 98)
    assert [each for _, each in climbing.found(tmp_path)] == [good]
    assert not climbing.whole(tmp_path)
    verdict(tmp_path / last.folder, "20260101-000200-year-end-rq", 0)
    assert climbing.whole(tmp_path)
