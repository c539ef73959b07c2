"""Whether a file of a tree was saved.

We look ourselves, instead of asking the system for events: a look at a tree of this size takes a millisecond, since it
passes over what an installer puts there, and sees a save on every file system, mounted and shared ones too, where
events are lost.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

Look = Mapping[str, tuple[int, int, int]]


def look(tree: Path) -> Look:
    """Of each file: when it was written (ns), its size and its number. Empty where there is no tree."""
    return dict(_within(str(tree), ""))


def saved(before: Look, now: Look) -> list[str]:
    """The paths that changed, came or went."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _within(folder: str, above: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if above and any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if _passing(entry.name):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _within(entry.path, f"{above}{entry.name}/")
            else:
                stat = entry.stat()
                yield above + entry.name, (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            continue  # it went between the two


def _passing(name: str) -> bool:
    """What editors, Python and installers write beside a file."""
    if name.startswith((".", "#")) or name.endswith(("~", ".pyc", ".tmp")):
        return True
    return name in ("__pycache__", "node_modules", "4913")
