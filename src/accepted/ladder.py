"""The ladder, read from exercises/ladder.toml, and the tree at each of its steps."""

import os
import shutil
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accepted.stack.errors import Problem

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = ROOT / "exercises"
START, REFERENCE = EXERCISES / "start", ROOT / "solutions"
CACHES = shutil.ignore_patterns("__pycache__", ".*")


@dataclass(frozen=True)
class Rung:
    """One exercise: the modules that it is about, and those into which only the reference has split it."""

    number: int
    name: str
    modules: frozenset[str]
    parts: frozenset[str]


def rungs() -> list[Rung]:
    """In order. Raises Problem."""
    file = EXERCISES / "ladder.toml"
    try:
        table = tomllib.loads(file.read_text())
    except ValueError as error:
        raise Problem(f"{file} can't be read", str(error), "Mend the line that it names.") from error
    return [_rung(file, number, each) for number, each in table.items()]


def _rung(file: Path, number: str, each: Any) -> Rung:
    if not number.isascii() or not number.isdigit():
        raise Problem(
            f"[{number}] in {file} is no exercise", "each is called by its number", "Give it that, such as [12]."
        )
    if not isinstance(each, dict) or not isinstance(each.get("name"), str):
        why = "each says what it is called, as its folder does after the number"
        raise Problem(f"[{number}] in {file} has no name", why, f'Write name = "…" under [{number}].')
    return Rung(
        int(number),
        each["name"],
        frozenset(path for kind in ("modules", "rq", "celery") for path in each.get(kind, [])),
        frozenset(each.get("parts", [])),
    )


def files(tree: Path) -> frozenset[str]:
    """The paths of all files within a tree, its own ones."""
    return frozenset(path for path in entries(tree) if (tree / path).is_file())


def entries(tree: Path) -> frozenset[str]:
    """The same, and each link, wherever it leads."""
    found: set[str] = set()
    for folder, folders, names in os.walk(tree):
        above = Path(folder)
        links = [name for name in folders if (above / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and not foreign(above / name)]
        paths = (above / name for name in [*names, *links] if not foreign(above / name))
        found.update(path.relative_to(tree).as_posix() for path in paths if path.is_symlink() or path.is_file())
    return frozenset(found)


def foreign(path: Path) -> bool:
    """Whether this is in a tree without being of it: hidden, a cache, or packages that an installer has put there."""
    return path.name.startswith(".") or path.name in ("__pycache__", "node_modules") or (path / "pyvenv.cfg").is_file()


def compose(folder: Path, done: int | Collection[int]) -> Path:
    """The tree of someone who has done these exercises (a number: all up to it) as the reference does them."""
    shutil.copytree(START, folder, ignore=CACHES)
    for rung in rungs():
        if rung.number <= done if isinstance(done, int) else rung.number in done:
            for path in rung.modules | rung.parts:
                shutil.copyfile(REFERENCE / path, folder / path)
    return folder
