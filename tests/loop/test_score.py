"""What is shown is written down, and points are for what a learner did."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from accepted.check import command as checking
from accepted.grade.engine import Report
from accepted.grade.exercise import Exercise, find, folders
from accepted.loop import journal
from accepted.loop.modules import digest
from accepted.loop.work import Work, found
from tests.loop.conftest import Typed, said


@pytest.fixture
def work(accepted: Typed, here: Path) -> Path:
    said(accepted("start", "--at", "3", "--json"))
    return here / "work"


def graded(work: Path, number: int, verdict: str, **more: str) -> None:
    """As `accepted check` and `accepted watch` write it down; without the digest of its `modules`, as they once did."""
    opened = found(work)
    assert opened
    given = number in opened.given
    about = {"exercise": number, "verdict": verdict, "given": given, "backend": "rq", "seed": 1, "seconds": 1.0}
    journal.add(opened, "graded", **about, **more)


def row(accepted: Typed, number: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = said(accepted("score", "--json"))["exercises"]
    return next(one for one in rows if one["number"] == number)


def test_each_hint_is_the_next_one_and_the_last_says_where_the_reference_is(accepted: Typed, work: Path) -> None:
    hints = find(3).folder / "hints"
    for level in (1, 2, 3, 3):
        shown = said(accepted("hint", "3", "--json"))
        assert (shown["level"], shown["levels"]) == (level, 3)
        assert shown["text"] == (hints / f"{level}.md").read_text().strip()
    assert "make diff-3" in accepted("hint", "3").output
    assert row(accepted, 3)["hints"] == 3 and row(accepted, 4)["hints"] == 0


def test_a_hint_of_a_level_can_be_asked_for_and_is_shown_without_a_tree_too(accepted: Typed, here: Path) -> None:
    assert said(accepted("hint", "3", "--level", "2", "--json"))["level"] == 2
    assert accepted("hint", "3", "--level", "9").exit_code == 1
    assert not (here / "work").exists(), "nothing is written where there is no tree"


def test_the_difference_is_shown_for_the_backend_and_without_colour_where_nobody_sees_it(
    accepted: Typed, work: Path
) -> None:
    shown = said(accepted("diff", "2", "--json"))["files"]
    assert list(shown) == ["on_rq/broker.py"] and shown["on_rq/broker.py"] == [], "given: it is the reference's"
    (work / "shared/effects.py").write_text("mine = True\n")
    result = accepted("diff", "3")
    assert "-mine = True" in result.output.splitlines() and "\x1b" not in result.output
    said(accepted("start", "--backend", "celery-redis", "--json"))
    assert "on_celery/to_redis.py" in said(accepted("diff", "2", "--json"))["files"]


def test_the_difference_is_that_of_the_library_that_is_graded(
    accepted: Typed, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "on_celery/to_redis.py" in said(accepted("diff", "2", "--json", "--backend", "celery-redis"))["files"]
    monkeypatch.setenv("BACKEND", "celery-rabbitmq")  # to read it takes no RabbitMQ
    shown = said(accepted("diff", "2", "--json"))
    assert shown["backend"] == "celery-rabbitmq" and "on_rq/broker.py" not in shown["files"]


def test_points_are_for_a_pass_of_ones_own(accepted: Typed, work: Path) -> None:
    graded(work, 1, "pass")  # the reference's, at this start
    graded(work, 3, "fail")
    graded(work, 3, "pass")
    score = said(accepted("score", "--json"))
    worth = {number: find(number).toml.points for number in folders()}
    assert (score["points"], score["of"], score["next"]) == (worth[3], sum(worth.values()), 4)
    assert row(accepted, 3)["tries"] == 2 and row(accepted, 3)["points"] == worth[3]
    assert row(accepted, 1)["points"] == 0


def test_a_pass_after_the_reference_was_shown_is_counted_apart(accepted: Typed, work: Path) -> None:
    graded(work, 3, "pass")
    accepted("diff", "3")  # afterwards: out of curiosity
    accepted("diff", "4")
    graded(work, 4, "pass")
    score = said(accepted("score", "--json"))
    assert score["points_with_reference"] == find(4).toml.points and score["references"] == 2
    assert not row(accepted, 3)["with_reference"] and row(accepted, 4)["with_reference"]
    assert "after the reference was shown" in accepted("score").output


def test_what_no_longer_passes_comes_next_again_and_what_was_earned_stays(accepted: Typed, work: Path) -> None:
    graded(work, 3, "pass")
    graded(work, 4, "pass")
    assert said(accepted("score", "--json"))["next"] == 5
    graded(work, 4, "fail")
    assert said(accepted("score", "--json"))["next"] == 4
    said(accepted("reset", "3", "--json"))
    score = said(accepted("score", "--json"))
    assert score["next"] == 3 and score["points"] == find(3).toml.points + find(4).toml.points
    graded(work, 3, "unknown")
    assert row(accepted, 3)["verdict"] is None, "what could not be judged says nothing"


def test_a_pass_whose_modules_were_edited_since_is_told_apart_and_keeps_its_points(accepted: Typed, work: Path) -> None:
    mine = work / "shared/effects.py"
    passed = mine.read_bytes()
    graded(work, 3, "pass", modules=digest(work, 3, "rq"))
    (work / "shared/retries.py").write_text("on = 'with the next one'\n")
    assert not row(accepted, 3)["edited"], "another's module is none of it"
    mine.write_bytes(passed + b"# better, I think\n")
    now = row(accepted, 3)
    assert (now["edited"], now["passed"], now["points"]) == (True, True, find(3).toml.points)
    score = accepted("score").output
    assert "passed, edited since" in score and "make exercise-4" in score
    mine.unlink()
    assert row(accepted, 3)["edited"], "gone is edited too"
    mine.write_bytes(passed)
    assert not row(accepted, 3)["edited"] and "edited since" not in accepted("score").output


def test_what_was_graded_on_one_library_is_not_edited_in_another(accepted: Typed, work: Path) -> None:
    graded(work, 2, "pass", modules=digest(work, 2, "rq"))
    (work / "on_celery/broker.py").write_text("not = 'graded'\n")
    assert not row(accepted, 2)["edited"]
    (work / "on_rq/broker.py").write_text("not = 'graded'\n")
    assert row(accepted, 2)["edited"]


def test_what_is_edited_while_it_is_graded_is_edited_since(
    accepted: Typed, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(results: Path, exercise: Exercise, tree: Path, backend: str, seed: int, *_: Any, **__: Any) -> Report:
        (tree / "shared/effects.py").write_text("mine = True\n")
        return Report(exercise.toml.number, exercise.toml.slug, str(tree), backend, seed, "pass", 0, 0.0, 60.0, {})

    monkeypatch.setattr(checking, "grade_into", slow)
    assert accepted("check", "3").exit_code == 0
    assert row(accepted, 3)["passed"] and row(accepted, 3)["edited"]


def test_a_note_from_before_there_was_a_digest_does_not_tell(accepted: Typed, work: Path) -> None:
    graded(work, 3, "pass")
    (work / "shared/effects.py").write_text("mine = True\n")
    assert row(accepted, 3)["passed"] and not row(accepted, 3)["edited"]


def test_a_restore_brings_back_what_passed_then(accepted: Typed, work: Path) -> None:
    graded(work, 3, "pass")
    (work / "shared/effects.py").write_text("mine = True\n")
    said(accepted("start", "--at", "1", "--json"))
    assert said(accepted("score", "--json"))["next"] == 1
    said(accepted("restore", "--json"))
    assert said(accepted("score", "--json"))["next"] == 4


def test_a_journal_that_a_crash_has_spoilt_is_read_as_far_as_it_goes(accepted: Typed, work: Path) -> None:
    graded(work, 3, "pass")
    with Work(work).journal.open("ab") as file:
        file.write(b'{"at": 1, "what": "gra\n[]\nnull\n\xff\xfe\n')
    graded(work, 4, "pass")
    assert said(accepted("score", "--json"))["next"] == 5


def test_a_line_that_a_crash_has_torn_takes_no_other_with_it(accepted: Typed, work: Path) -> None:
    with Work(work).journal.open("ab") as file:
        file.write(b'{"at": 1, "what": "gra')
    graded(work, 3, "pass")
    assert said(accepted("score", "--json"))["next"] == 4


def test_a_tree_that_was_thrown_away_is_not_brought_back_by_its_journal(accepted: Typed, work: Path) -> None:
    before = found(work)
    assert before
    shutil.rmtree(work)
    journal.add(before, "graded", exercise=3, verdict="pass")
    assert not work.exists()
    assert accepted("start").exit_code == 0


def test_notes_that_can_not_be_read_are_no_licence_to_begin_anew(accepted: Typed, work: Path) -> None:
    Work(work).about.write_text("{")
    (work / "shared/effects.py").write_text("mine = True\n")
    assert accepted("start").exit_code == 0
    assert (work / "shared/effects.py").read_text() == "mine = True\n"


@pytest.mark.parametrize(
    "command", ["start", "watch", "hint", "diff", "catch-up", "reset", "restore", "score", "doctor"]
)
def test_every_command_has_help_and_json(accepted: Typed, command: str) -> None:
    result = accepted(command, "--help")
    assert result.exit_code == 0 and "--json" in result.output and "--dir" in result.output
    first = re.search(r"\n\n  (\S[^\n]+)", result.output)
    assert first and first[1][0].isupper()


@pytest.mark.parametrize(
    "command", [["score"], ["diff", "1"], ["reset", "1"], ["catch-up", "2"], ["watch"], ["restore"]]
)
def test_without_a_tree_each_says_how_to_begin(accepted: Typed, here: Path, command: list[str]) -> None:
    result = accepted(*command)
    assert result.exit_code == 1 and "make start" in result.output
    assert not list(here.iterdir()), "and leaves nothing"


def test_json_is_all_that_is_printed(accepted: Typed, work: Path) -> None:
    for command in (["start", "--at", "4"], ["hint", "3"], ["diff", "3"], ["catch-up", "5"], ["reset", "4"],
                    ["restore"], ["score"]):  # fmt: skip
        json.loads(accepted(*command, "--json").stdout)
