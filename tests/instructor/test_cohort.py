"""Thirty folders of results, some of them strange, become a page, a sheet and a list that a teacher can trust."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from accepted.cli import main
from accepted.ladder import ROOT
from tests.instructor.conftest import Graded, result


@pytest.fixture
def shown(tmp_path: Path) -> Callable[..., str]:
    """What `accepted cohort room` prints."""

    def run(*more: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["cohort", str(tmp_path / "room"), *more])
        assert done.exit_code == code, done.output
        return done.output

    return run


def told(shown: Callable[..., str]) -> Any:
    return json.loads(shown("--json"))


def test_the_check_at_which_most_stand_comes_first(graded: Graded, shown: Callable[..., str]) -> None:
    graded("anna", 1)
    graded("anna", 3, "works")
    graded("ben", 3, "twenty-copies")
    graded("cem", 3, "twenty-copies")
    found = told(shown)
    assert [(one["check"], one["learners"], one["judged"]) for one in found["stuck"]] == [
        ("03/twenty-copies", ["ben", "cem"], 2),  # of anna it isn't known: it was skipped
        ("03/works", ["anna"], 3),
    ]
    assert [one["points"] for one in found["learners"]] == [10, 0, 0]
    assert "03/twenty-copies  2 of 2" in shown()


def test_of_two_results_the_newer_counts(graded: Graded, shown: Callable[..., str]) -> None:
    graded("anna", 3, "works", started=2)
    graded("anna", 3, place=".", started=1)
    assert told(shown)["stuck"][0]["check"] == "03/works"


def _torn(path: Path) -> None:
    path.write_text(path.read_text()[:100])


def _edited(path: Path) -> None:
    path.write_text(json.dumps(result(3, "works") | {"verdict": "pass"}))


def _other_edition(path: Path) -> None:
    said = result(3)
    said["checks"] = said["checks"][:-1]
    path.write_text(json.dumps(said))


def _twice(path: Path) -> None:
    said = result(3)
    said["checks"] += said["checks"][:1]
    path.write_text(json.dumps(said))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


STRANGE: list[tuple[Callable[[Path], object], str]] = [
    (_torn, "is no JSON, or is torn"),
    (_edited, "somebody has written into it"),
    (_other_edition, "of another edition"),
    (_twice, "a check stands there twice"),
    (_pipe, "is no plain file"),
    (_link, "can't be read"),
    (_unreadable, "no plain file"),
    (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is no JSON"),
    (lambda path: path.write_text("[" * 100_000), "is no JSON"),
    (lambda path: path.write_text("1" * 10_000), "is no JSON"),
    (lambda path: path.write_text(" " * (5 << 20)), "too large"),
    (lambda path: path.write_text("[]"), "is no result"),
    (lambda path: path.write_text(json.dumps(result(3) | {"started": float("nan")})), "is no result: started"),
    (lambda path: path.write_text(json.dumps(result(3) | {"slug": "other"})), "here that is idempotent"),
    (lambda path: path.write_text(json.dumps(result(3) | {"exercise": 99})), "is not called 99.json"),
    (lambda path: path.write_text(json.dumps(result(3, tree="solutions"))), "came with the kit"),
]


@pytest.mark.parametrize(("spoil", "why"), STRANGE)
def test_a_strange_file_is_named_and_left_out_and_the_others_count(
    spoil: Callable[[Path], object], why: str, graded: Graded, shown: Callable[..., str]
) -> None:
    graded("anna", 1)
    spoil(graded("anna", 3))
    found = told(shown)
    assert [one["exercise"] for one in found["learners"][0]["results"]] == [1]
    (left,) = found["left_out"]
    assert left["file"] == "anna/results/03.json" and why in left["why"]


def test_what_leads_out_of_the_room_is_not_followed(graded: Graded, shown: Callable[..., str], tmp_path: Path) -> None:
    graded("anna", 1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "01.json").write_text(json.dumps(result(1)))
    (tmp_path / "room" / "ben").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "room" / "cem").mkdir()
    (tmp_path / "room" / "cem" / "results").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "room" / "01.json").write_text(json.dumps(result(1)))
    found = told(shown)
    assert [one["name"] for one in found["learners"]] == ["anna", "cem"]
    assert found["learners"][1]["results"] == []
    assert [one["file"] for one in found["left_out"]] == ["01.json", "ben", "cem"]


class Seen(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_hostile_name_or_message_stays_text_on_page_sheet_and_screen(
    graded: Graded, shown: Callable[..., str], tmp_path: Path
) -> None:
    name = '"><script>alert(1)<'
    path = graded(name, 3, "works")
    said = result(3, "works")
    for one in said["checks"]:
        one["difference"] = '" onmouseover="x" \x1b[2J\u202e<img src=http://x>'
    path.write_text(json.dumps(said))
    for odd in ("=1+1", "a\x1b[31mb", os.fsdecode(b"bytes\xff")):
        graded(odd, 1)
    page, sheet = tmp_path / "a page.html", tmp_path / "room.csv"
    screen = shown("--html", str(page), "--csv", str(sheet)) + page.read_text() + sheet.read_text()
    assert not {"\x1b", "\u202e", "\udcff"} & set(screen)
    seen = Seen()
    seen.feed(page.read_text())
    assert not {"script", "img"} & seen.tags and not {"onmouseover", "src", "href"} & seen.attributes
    rows = list(csv.DictReader(io.StringIO(sheet.read_text())))
    assert {one["learner"] for one in rows} == {name, "'=1+1", "a\ufffd[31mb", "bytes\ufffd"}


def test_the_sheet_has_a_line_for_each_check_and_one_for_who_has_nothing(
    graded: Graded, shown: Callable[..., str], tmp_path: Path
) -> None:
    graded("anna", 3, "works")
    (tmp_path / "room" / "ben").mkdir()
    shown("--csv", str(tmp_path / "room.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "room.csv").read_text())))
    assert [one["status"] for one in rows if one["check"] == "works"] == ["fail"]
    assert len(rows) == len(result(3)["checks"]) + 1 and rows[-1]["learner"] == "ben"


def test_a_room_without_learners_or_no_room_at_all_is_said(shown: Callable[..., str], tmp_path: Path) -> None:
    assert "cannot read" in shown(code=1)
    (tmp_path / "room").mkdir()
    assert "nobody is in" in shown(code=1)


def test_a_room_may_be_called_what_it_likes(graded: Graded, tmp_path: Path) -> None:
    graded("anna", 1)
    room = (tmp_path / "room").rename(tmp_path / "o'brien's \"best\" room")
    # -o: the environment counts as made; BIN: that of whoever tests.
    make = ["make", "-o", ".venv/.ready-dev", f"BIN={Path(sys.executable).parent}", "cohort", f"DIR={room}"]
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "ARGS")}  # those of whoever tests
    done = subprocess.run(make, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (room / "cohort.csv").exists() and (room / "cohort.html").exists()
