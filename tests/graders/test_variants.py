"""tests/variants/: each is well-formed, and fits the reference as it stands."""

from pathlib import Path

import pytest

from accepted.grade.exercise import find, folders
from accepted.graders.variants import variants
from accepted.ladder import compose, files
from accepted.stack.errors import Problem

ABOUT = 'exercise = 1\nabout = "another road"\n'


@pytest.mark.parametrize("name", variants())
def test_a_variant_fits_and_changes_something(name: str, tmp_path: Path) -> None:
    variant = variants()[name]
    assert variant.exercise in folders()
    exercise = find(variant.exercise)
    tree = variant.tree(exercise, tmp_path / "tree")
    good = compose(tmp_path / "good", {*exercise.toml.prerequisites, variant.exercise})
    before = {path: (good / path).read_bytes() for path in files(good)}
    after = {path: (tree / path).read_bytes() for path in files(tree)}
    changed = [path for path in after if before.get(path) != after[path]]
    assert changed
    for path in changed:
        compile(after[path], path, "exec")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (ABOUT, "change"),
        (ABOUT.replace("1", "2"), "misnamed"),
        (ABOUT + '[[change]]\nmodule = "shared/none.py"\nold = "a"\nnew = "b"', "there is no shared/none.py"),
        (ABOUT + '[[change]]\nmodule = "shared/routes.py"\nold = "a"', "has old and new"),
        (ABOUT + '[[change]]\nmodule = "shared/routes.py"\nold = "no such line"\nnew = ""', "found 0 times"),
        ('exercise = 1\nabout = "x"\nbackends = ["kafka"]\n[[change]]\nmodule = "x"\nfile = ""', "kafka"),
    ],
)
def test_one_that_is_not_well_formed_or_does_not_fit_is_named(tmp_path: Path, toml: str, said: str) -> None:
    path = tmp_path / "01-another-road.toml"
    path.write_text(toml if "change" in toml or said == "change" else f'{toml}\n[[change]]\nmodule = "x"\nfile = ""')
    with pytest.raises(Problem, match=said):
        variants(tmp_path)["01-another-road"].tree(find(1), tmp_path / "tree")


def test_a_whole_file_may_be_a_new_one(tmp_path: Path) -> None:
    toml = ABOUT + "[[change]]\nmodule = \"shared/deep/inbox.py\"\nfile = '''\nx = 1\n'''"
    (tmp_path / "01-new.toml").write_text(toml)
    tree = variants(tmp_path)["01-new"].tree(find(1), tmp_path / "tree")
    assert (tree / "shared" / "deep" / "inbox.py").read_text() == "x = 1\n"
