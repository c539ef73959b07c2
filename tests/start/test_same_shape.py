"""The app that everyone ships first and the reference: one skeleton, and seams with the same names."""

from itertools import pairwise
from pathlib import Path

import pytest

from accepted.ladder import REFERENCE, START, compose, files, rungs
from tests.start.names import Tree, signatures

SEAMS = sorted(path for rung in rungs() for path in rung.modules)
PARTS = sorted(path for rung in rungs() for path in rung.parts)


def test_each_module_belongs_to_one_exercise_at_most() -> None:
    assert len({*SEAMS, *PARTS}) == len(SEAMS) + len(PARTS)
    assert all(one.number + 1 == two.number for one, two in pairwise(rungs()))


def test_the_trees_hold_the_same_files_but_for_the_parts() -> None:
    assert files(REFERENCE) - files(START) == set(PARTS)
    assert files(START) - files(REFERENCE) == set()


@pytest.mark.parametrize("path", sorted(files(REFERENCE) - {*SEAMS, *PARTS}))
def test_the_skeleton_is_the_same_bytes_in_both_trees(path: str) -> None:
    same = (REFERENCE / path).read_bytes() == (START / path).read_bytes()
    assert same, f"mend it with: cp solutions/{path} exercises/start/{path}"


@pytest.mark.parametrize("path", SEAMS)
def test_a_seam_answers_to_the_same_signatures_in_both_trees(path: str) -> None:
    ours, theirs = signatures(START / path), signatures(REFERENCE / path)
    assert (START / path).read_bytes() != (REFERENCE / path).read_bytes(), "nothing is left to do here"
    both = ours.keys() & theirs.keys()
    assert both, "no public function in common"
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}


@pytest.mark.parametrize("done", range(len(rungs()) + 1))
def test_at_each_step_every_name_that_a_module_uses_of_another_is_there(done: int, tmp_path: Path) -> None:
    assert Tree(compose(tmp_path / "tree", done)).missing() == []


@pytest.mark.parametrize("number", [rung.number for rung in rungs()])
def test_one_naive_seam_over_the_reference_finds_every_name_as_well(number: int, tmp_path: Path) -> None:
    tree = compose(tmp_path / "tree", len(rungs()))
    for path in next(rung for rung in rungs() if rung.number == number).modules:
        (tree / path).write_bytes((START / path).read_bytes())
    # What the exercise's own parts use of its reference's modules is nobody else's business.
    own = {path for rung in rungs() if rung.number == number for path in rung.parts}
    assert [one for one in Tree(tree).missing() if one.partition(":")[0] not in own] == []


def test_a_name_that_is_gone_is_noticed(tmp_path: Path) -> None:
    tree = compose(tmp_path / "tree", 0)
    claims = tree / "shared" / "claims.py"
    claims.write_text(claims.read_text().replace("def renew(", "def renewed("))
    assert Tree(tree).missing() == ["shared/leases.py: claims.renew"]
