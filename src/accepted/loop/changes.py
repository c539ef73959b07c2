"""Whether a file of a tree was saved.

We look ourselves, instead of asking the system for events: a look at a tree of this size takes a millisecond, and sees
a save on every file system, mounted and shared ones too, where events are lost.
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
    """What editors and Python write beside a file."""
    return name.startswith((".", "#")) or name.endswith(("~", ".pyc", ".tmp")) or name in ("__pycache__", "4913")
