"""Each ablation fits the reference: its modules are there, and its code stands under them."""

import ast
from pathlib import Path

import pytest

from accepted.oracle.verdict import FLAWS
from accepted.stack.errors import Problem
from accepted.sweep.ablation import Ablation, ablations, overlay
from accepted.sweep.coarse import FAULTS
from accepted.sweep.stories import STORIES

ROOT = Path(__file__).resolve().parents[2]
ALL = ablations()


def test_every_defence_of_the_design_can_be_switched_off() -> None:
    assert {one.defence for one in ALL} == {
        "natural key", "provider key", "fencing", "reaper", "outbox order", "attempt count", "outbox", "database clock",
    }  # fmt: skip


@pytest.mark.parametrize("ablation", ALL, ids=lambda one: one.name)
def test_an_ablation_changes_what_is_there_and_names_cases_that_exist(ablation: Ablation, tmp_path: Path) -> None:
    tree = overlay(ROOT / "solutions", ablation, tmp_path)
    for change in ablation.change:
        before = ast.parse((ROOT / "solutions" / change["module"]).read_text())
        names = {one.name for one in before.body if isinstance(one, ast.FunctionDef)}
        names |= {
            t.id for one in before.body if isinstance(one, ast.Assign) for t in one.targets if isinstance(t, ast.Name)
        }
        changed = ast.parse(change["code"]).body
        replaced = {one.name for one in changed if isinstance(one, ast.FunctionDef)}
        replaced |= {
            t.id for one in changed if isinstance(one, ast.Assign) for t in one.targets if isinstance(t, ast.Name)
        }
        assert replaced & names, f"{change['module']} has nothing of that name any more"
        ast.parse((tree / change["module"]).read_text())
    for case in ablation.cases:
        kind, _, name = case.partition("/")
        assert name in FAULTS if kind == "coarse" else kind in STORIES
    assert set(ablation.finds) <= set(FLAWS)


def test_a_tree_without_the_module_is_told(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(Problem, match="has no shared"):
        overlay(tmp_path / "tree", ALL[0], tmp_path / "copies")
