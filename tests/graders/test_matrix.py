"""The kill matrix: its score, and that it changes only with what was found. What was found before is remembered."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from accepted.grade.exercise import find, load
from accepted.graders import matrix, record
from accepted.graders.cases import cases, digest
from accepted.graders.command import PAGE, README, progress
from accepted.graders.expected import Outcome
from accepted.graders.flake import Runs, _keep, differing
from accepted.graders.kept import Kept
from accepted.graders.running import Bench
from accepted.ladder import REFERENCE, ROOT, compose

CASES = [case for backend in ("rq", "celery-redis") for case in cases(find(1), backend)]
BADS = len(find(1).toml.known_bad)
FOUND = {
    case.id: Outcome(
        case.id,
        "d",
        "as it must",
        statuses={case.fails: "fail"} if case.fails else {},
        seconds=n,
        judges="abc" if case.backend == "rq" or case.kind == "start" else "def",
    )
    for n, case in enumerate(CASES)
}


def test_all_as_it_must_be_says_so_and_holds_no_times() -> None:
    score = matrix.score(CASES, FOUND)
    assert (score.caught, score.known_bads, score.unrelated, score.otherwise) == (2 * BADS, 2 * BADS, 0, 0)
    page = matrix.as_page(CASES, FOUND)
    assert page == matrix.as_page(
        CASES, {key: replace(one, digest="e", seconds=99) for key, one in reversed(FOUND.items())}
    )
    assert f"**{BADS} known-bads, caught in {2 * BADS} of {2 * BADS} gradings; " in page
    assert "Not as it must" not in page
    assert "| known-bad says-200 | fails answers-at-once, nothing else | ✓ | ✓ | abc, def |" in page
    assert "| start | fails answers-at-once | ✓ | ✓ | abc |" in page
    assert str(matrix.score(CASES, {})) == f"of {len(CASES)} cases none was run yet"


def test_what_is_not_as_it_must_be_stands_there_with_its_reason() -> None:
    bad = next(case for case in CASES if case.name == "says-200")
    found = {**FOUND, bad.id: Outcome(bad.id, "d", "otherwise", "nothing failed", statuses={"boots": "pass"})}
    del found[CASES[0].id]
    page = matrix.as_page(CASES, found)
    assert f"{BADS} known-bads, caught in {2 * BADS - 1} of {2 * BADS} gradings" in page and "1 not run" in page
    assert "| ✗ | ✓ | def |" in page and "| · | ✓ | def |" in page
    assert f"- {bad.id}: fails answers-at-once, nothing else – otherwise: nothing failed" in page


def test_how_a_known_bad_did_on_a_sunny_day_stands_in_its_row() -> None:
    bads = [case for case in CASES if case.kind == "known-bad"]
    days = {one.sunny().id: Outcome(one.sunny().id, "d", "as it must") for one in bads if one.backend == "rq"}
    lost = next(case for case in bads if case.name == "says-200").sunny()
    days[lost.id] = replace(days[lost.id], came="otherwise", why="a job was lost")
    everything = [*CASES, *(one.sunny() for one in bads)]
    page = matrix.as_page(everything, FOUND | days)
    assert f"gradings and whole on {BADS - 1} of {BADS} sunny days; " in page and f"{BADS} not run" in page
    assert "| known-bad says-200 | fails answers-at-once, nothing else | ✓ | ✓ | ✗ · | abc, def |" in page
    assert "| known-bad ignores-the-key | fails same-key-same-answer, nothing else | ✓ | ✓ | ✓ · | abc, def |" in page
    assert "| start | fails answers-at-once | ✓ | ✓ |  | abc |" in page
    assert "- 01/rq/sunny/says-200: holds on a sunny day – otherwise: a job was lost" in page
    assert matrix.SUNNY not in matrix.table(CASES, FOUND)[0]


def test_pieces_that_were_run_apart_meet_and_a_case_that_is_gone_leaves(tmp_path: Path) -> None:
    one, other, last = CASES[0], next(case for case in CASES if case.name == "says-200"), CASES[-1]
    caught = Outcome(other.id, "d", "as it must", statuses={"answers-at-once": "fail", "boots": "pass"}, judges="abc")
    for case, outcome in ((one, FOUND[one.id]), (other, caught), (last, FOUND[last.id])):
        record.add(case, outcome, CASES, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-celery-redis.json", "01-rq.json"]
    read = record.read(CASES, tmp_path)
    assert set(read) == {one.id, other.id, last.id}
    assert read[other.id].statuses == {"answers-at-once": "fail"} and read[other.id].judges == "abc"
    record.add(one, replace(FOUND[one.id], came="not judged"), CASES, tmp_path)
    assert record.read(CASES, tmp_path)[one.id].came == "as it must", "the same code had judged it"
    record.add(one, replace(FOUND[one.id], came="not judged", judges="new"), CASES, tmp_path)
    assert record.read(CASES, tmp_path)[one.id].came == "not judged"
    record.add(one, FOUND[one.id], [case for case in CASES if case is not other], tmp_path)
    assert set(record.read(CASES, tmp_path)) == {one.id, last.id}


def test_the_readme_says_of_the_matrix_what_its_page_says() -> None:
    """`accepted graders --page` writes both, from what is kept."""
    score = PAGE.read_text().split("**")[1].removesuffix(".")
    assert README.read_text() == matrix.in_readme(README.read_text(), score)


def test_an_outcome_is_known_until_something_that_it_depends_on_changes(tmp_path: Path) -> None:
    case = CASES[0]
    mark = digest(case, REFERENCE)
    Kept(tmp_path / "kept.jsonl").add(Outcome(case.id, mark, "as it must"))
    with (tmp_path / "kept.jsonl").open("a") as file:
        file.write('{"id": "cut sho')
    kept = Kept(tmp_path / "kept.jsonl")
    assert kept.find(case.id, digest(case, REFERENCE)) is not None
    tree = compose(tmp_path / "tree", 9)
    (tree / "shared" / "routes.py").write_text("# another\n")
    assert kept.find(case.id, digest(case, tree)) is None


def test_what_was_not_as_it_must_is_tried_again_the_next_time(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.jsonl")
    kept.add(Outcome("a", "d", "not judged"))
    kept.add(Outcome("b", "d", "otherwise"))
    assert kept.find("a", "d") is kept.find("b", "d") is None


def test_a_run_that_differs_from_most_is_named_with_its_reason() -> None:
    usual, odd = (("boots", "pass"), ("works", "pass")), (("boots", "pass"), ("works", "unknown"))
    assert differing([usual, usual, usual], ["", "", ""]) == {}
    assert differing([odd, usual, usual], ["works: late", "", ""]) == {1: "works unknown, not pass (works: late)"}


def test_the_time_that_is_left_is_said_from_what_it_took_so_far() -> None:
    assert progress(2, 10, 60.0) == (20, "2 of 10, about 4:00 left")
    assert progress(10, 10, 60.0) == (100, "10 of 10, about 0:00 left")


def test_the_evidence_of_a_run_that_differs_is_kept_and_of_no_earlier_flake(tmp_path: Path) -> None:
    usual, odd = (("works", "pass"),), (("works", "fail"),)
    runs = Runs("start", signatures=[usual, odd, usual], notes=["", "works: late", ""])
    for turn in (1, 2, 3):
        (tmp_path / "all" / f"start-{turn}").mkdir(parents=True)
        (tmp_path / "all" / f"start-{turn}" / "works.txt").write_text(str(turn))
    (tmp_path / "kept" / "start-9").mkdir(parents=True)
    _keep([runs], tmp_path / "all", tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["start-2"]
    assert (tmp_path / "kept" / "start-2" / "works.txt").read_text() == "2"


def test_two_who_keep_rows_at_once_lose_none(tmp_path: Path) -> None:
    mine = [case for case in CASES if case.backend == "rq"]
    code = (
        "import sys; from pathlib import Path; from accepted.graders import record\n"
        "from tests.graders.test_matrix import CASES, FOUND\n"
        "mine = [case for case in CASES if case.backend == 'rq'][int(sys.argv[1])::2]\n"
        "for case in mine: record.add(case, FOUND[case.id], CASES, Path(sys.argv[2]))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, half, str(tmp_path)], cwd=ROOT) for half in "01"]
    assert [one.wait(60) for one in both] == [0, 0]
    assert set(record.read(CASES, tmp_path)) == {case.id for case in mine}


def test_a_tree_that_can_not_be_laid_is_a_case_that_came_otherwise_and_stops_no_other(tmp_path: Path) -> None:
    spoilt = tmp_path / "01-accept"
    shutil.copytree(find(1).folder, spoilt)
    (spoilt / "known_bad" / "says-200.toml").write_text(
        '[[change]]\nmodule = "shared/routes.py"\nold = "no"\nnew = ""\n'
    )
    case = next(case for case in cases(load(spoilt), "rq") if case.name == "says-200")
    bench = Bench(Kept(tmp_path / "kept.jsonl"), tmp_path / "evidence", jobs=1)
    assert bench.known(case) is None
    assert bench.play(case)[0].came == "otherwise"


def test_whoever_has_other_libraries_knows_nothing_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(CASES[0], REFERENCE)
    monkeypatch.setattr("accepted.graders.cases.versions", lambda backend: {"rq": "0"})
    assert digest(CASES[0], REFERENCE) != before
