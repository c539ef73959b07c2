"""docs/transcripts/: what a learner reads when a check fails, as it stands in the repository and as it comes today."""

import os
from pathlib import Path

import pytest

from accepted.grade.engine import grade
from accepted.grade.exercise import find, folders
from accepted.graders.cases import cases
from accepted.graders.transcripts import TRANSCRIPTS, is_model, normalised, written
from tests.graders.lessons import lesson

KEPT = [number for number in folders() if (TRANSCRIPTS / f"check-{number:02}.txt").exists()]


@pytest.mark.parametrize("number", KEPT)
def test_a_transcript_teaches_stimulus_rule_difference_cost_and_where_to_look(number: int) -> None:
    text = (TRANSCRIPTS / f"check-{number:02}.txt").read_text()
    found = lesson(text)
    assert found is not None
    assert found.check in {find(number).toml.intended, find(number).start_intended}
    assert all((found.rule, found.stimulus, found.difference, found.costs, found.look)), found
    assert normalised(text) == text, "all that changes from run to run is made equal"


@pytest.mark.parametrize("number", KEPT if os.environ.get("GRADERS") else KEPT[:1])
def test_today_the_same_lesson_is_taught(number: int, tmp_path: Path) -> None:
    case = next(case for case in cases(find(number), "rq") if is_model(case))
    report = grade(case.exercise, case.tree(tmp_path / "tree"), "rq", 1, tmp_path / "results")
    assert lesson(written(case, report)) == lesson((TRANSCRIPTS / f"check-{number:02}.txt").read_text())


def test_ids_times_ports_and_paths_are_made_equal() -> None:
    one = "  0.031  worker 4711  charge acme:payout:x-1:1 → 200, effect ch_0000012f in 31 ms at http://127.0.0.1:4711/x"
    two = "  7.131  worker 4718  charge acme:payout:x-1:1 → 200, effect ch_000001af in 7 ms at http://127.0.0.1:80/y"
    assert normalised(one) == normalised(two) == normalised(normalised(one))
    assert "acme:payout:x-1:1 → 200" in normalised(one)


def test_what_was_seen_keeps_its_column_however_long_it_took() -> None:
    soon, late = normalised("         9.031  it waits\n        12.131  it is done\n").splitlines()
    assert soon.index("it") == late.index("it") == soon.index("<t>") + 5
