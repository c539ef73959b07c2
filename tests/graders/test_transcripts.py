"""docs/transcripts/: what a learner reads when a check fails, as it stands in the repository and as it comes today."""

from dataclasses import replace
from pathlib import Path

import pytest

from accepted.grade.engine import Report, grade
from accepted.grade.exercise import find, folders
from accepted.grade.verdict import Result
from accepted.graders import transcripts
from accepted.graders.cases import Case, cases
from accepted.graders.transcripts import TRANSCRIPTS, is_model, normalised, save, written
from accepted.ladder import ROOT
from tests.at_length import few_of
from tests.graders.lessons import lesson

NUMBERS = list(folders())


def model(number: int) -> Case:
    return next(case for case in cases(find(number), "rq") if is_model(case))


def kept(number: int) -> str:
    return (TRANSCRIPTS / f"check-{number:02}.txt").read_text()


def test_each_exercise_has_a_transcript_and_each_transcript_an_exercise() -> None:
    there = sorted(path.name for path in TRANSCRIPTS.glob("check-*"))
    assert there == [f"check-{number:02}.txt" for number in NUMBERS], "accepted graders --write --backend rq --ex N"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_transcript_teaches_stimulus_rule_difference_cost_and_where_to_look(number: int) -> None:
    found = lesson(kept(number))
    assert found is not None
    assert found.check in {find(number).toml.intended, find(number).start_intended}
    assert all((found.rule, found.stimulus, found.difference, found.costs, found.look)), found


@pytest.mark.parametrize("number", NUMBERS)
def test_it_is_the_screen_of_a_learner_figures_and_all(number: int) -> None:
    asked, opening, *_, fails, again, stuck = kept(number).splitlines()
    assert asked.startswith(f"$ make exercise-{number} ")
    assert opening == f"{find(number).title}   tree work, backend rq, seed 1"
    assert fails.startswith("   FAIL: ") and fails.endswith(f" s · results/{number:02}.json")
    assert again == f"   again, with the same chances: make exercise-{number} BACKEND=rq SEED=1"
    assert stuck.startswith(f"   stuck? make hint-{number} ")
    assert [word for word in ("<t>", "<n>") if word in kept(number)] == [], "nobody ever sees that"
    assert [word for word in ("/tmp/", "/dev/shm", f"{ROOT}", f"{Path.home()}/") if word in kept(number)] == []


@pytest.mark.parametrize("number", few_of(NUMBERS, NUMBERS[:1]))
def test_today_the_same_lesson_is_taught(number: int, tmp_path: Path) -> None:
    case = model(number)
    report = grade(case.exercise, case.tree(tmp_path / "tree"), "rq", 1, tmp_path / "results")
    assert lesson(written(case, report)) == lesson(kept(number))


def failed(tree: Path, found: str = "found 1.99 s") -> Report:
    """A report as a grading on this machine comes to it."""
    seen = [f"  0.031  a worker reads {tree}/shared/retries.py", "  1.204  it makes /tmp/accepted-grade-x1/made"]
    result = Result("spaced", "fail", "Waits grow.", stimulus="it failed four times", evidence=seen,
                    difference=f"expected 3 s, {found}", costs="A partner in trouble is called more than ever.",
                    look=f"{ROOT}/exercises/start/shared/retries.py", file=f"{tree}-evidence/spaced.txt")  # fmt: skip
    return Report(4, "retries", str(tree), "rq", 1, "fail", 1, 0.0, 61.25, {}, [result])


def test_what_is_of_this_machine_is_not_what_a_learner_reads(tmp_path: Path) -> None:
    text = written(model(4), failed(tmp_path / "tree"))
    assert "tree work, backend rq" in text
    assert "0.031  a worker reads work/shared/retries.py" in text and "1.204  it makes …\n" in text
    assert "look     exercises/start/shared/retries.py" in text
    assert "all of it         results/04/spaced.txt" in text
    assert "1 fail · 61.2 s · results/04.json" in text


def test_one_that_says_the_same_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "TRANSCRIPTS", tmp_path)
    before, case = failed(tmp_path / "tree"), model(4)
    assert save(case, before) == tmp_path / "check-04.txt"
    assert "expected 3 s, found 1.99 s" in (tmp_path / "check-04.txt").read_text()
    assert save(case, replace(failed(tmp_path / "tree", "found 2.07 s"), seconds=48.1)) is None
    assert save(case, failed(tmp_path / "tree", "found none")) == tmp_path / "check-04.txt"
    assert "found none" in (tmp_path / "check-04.txt").read_text()


def test_two_runs_are_compared_without_their_ids_times_and_ports() -> None:
    one = "  0.031  worker 4711  charge acme:payout:x-1:1 → 200, effect ch_0000012f in 31 ms at http://127.0.0.1:4711/x"
    two = "  7.131  worker 4718  charge acme:payout:x-1:1 → 200, effect ch_000001af in 7 ms at http://127.0.0.1:80/y"
    assert normalised(one) == normalised(two) == normalised(normalised(one))
    assert "acme:payout:x-1:1 → 200" in normalised(one)


def test_a_lesson_is_the_same_wherever_its_lines_are_broken() -> None:
    def screen(difference: str) -> str:
        return f"   ✗ spaced  fail: Waits grow.\n       first difference  {difference}\n       what it costs  Much."

    assert lesson(screen("found a wait of 1.99 s\n                         once")) == lesson(
        screen("found a wait of 12.4\n                         s once")
    )
    assert lesson(screen("found a wait of 1.99 s")) != lesson(screen("found no wait"))


def test_what_was_seen_keeps_its_column_however_long_it_took() -> None:
    soon, late = normalised("         9.031  it waits\n        12.131  it is done\n").splitlines()
    assert soon.index("it") == late.index("it") == soon.index("<t>") + 5
