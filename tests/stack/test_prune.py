"""Runs that begin side by side all clear away the oldest of those that are over."""

from pathlib import Path

from accepted.stack.leftovers import prune


def test_a_run_that_another_has_just_removed_keeps_nobody_from_beginning(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"run-{n}").mkdir()
    (tmp_path / "run-gone").symlink_to(tmp_path / "nowhere")  # it is listed, and is not there when looked at
    prune(tmp_path, "run-", keep=3)
    assert sorted(path.name for path in tmp_path.iterdir() if path.exists()) == ["run-0", "run-1", "run-2"]
