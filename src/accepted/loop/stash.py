"""The stashes of a learner's tree: all its files as they were at one time, in a folder beside it."""

import json
import secrets
import shutil
import time
from pathlib import Path

from accepted import durable
from accepted.ladder import entries
from accepted.loop.work import Work

# Hidden, so no file of the tree:
NOTE = ".stash.json"  # when it was made, and before what
ABOUT = ".about.json"  # what was written down about the tree
UNDERWAY = ".underway"  # the notice that the tree was half-way between two, where it was
REST = ".rest"  # what stood in the way of a file and is no file of a tree, caches for one


def keep(work: Work, verb: str) -> Path:
    """Copies every file of the tree. The folder has its name only when all is in it, and on the disk."""
    kept = round(time.time(), 3)  # as the journal has it
    work.stashes.mkdir(exist_ok=True)
    private = work.stashes / f".{secrets.token_hex(6)}"
    try:
        private.mkdir()
        durable.copy(work.tree, private, sorted(entries(work.tree)))
        durable.write(private / NOTE, json.dumps({"kept": kept, "before": verb}).encode() + b"\n")
        for note, name in ((work.about, ABOUT), (work.underway, UNDERWAY)):
            if note.exists():
                durable.put(note, private / name)
        return _named(private, work.stashes / f"{time.strftime('%Y%m%d-%H%M%S')}-{verb}")
    finally:
        shutil.rmtree(private, ignore_errors=True)


def restored(stash: Path, tree: Path) -> dict[str, Path | None]:
    """What is wanted for the tree to be as it was when this stash was made."""
    gone: dict[str, Path | None] = dict.fromkeys(entries(tree))
    return gone | {path: stash / path for path in entries(stash)}


def all_of(work: Work) -> list[Path]:
    """The oldest first."""
    if not work.stashes.is_dir():
        return []
    found = (path for path in work.stashes.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(found, key=lambda path: (kept_at(path), path.name))


def is_one(work: Work, folder: Path) -> bool:
    """Whether that is a stash: it is where they are kept, or has the note of one, wherever it was moved to."""
    return folder.resolve() in [path.resolve() for path in all_of(work)] or (folder / NOTE).is_file()


def kept_at(stash: Path) -> float:
    """When it was made (s since 1970): its note says so, and its name. Its folder's time is anyone's who opens it."""
    try:
        return float(json.loads((stash / NOTE).read_text())["kept"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        return time.mktime(time.strptime(stash.name[:15], "%Y%m%d-%H%M%S"))
    except (ValueError, OverflowError):
        return 0.0


def _named(folder: Path, name: Path) -> Path:
    number = 1
    while True:
        called = name if number == 1 else name.with_name(f"{name.name}-{number}")
        if not called.exists():
            folder.rename(called)
            durable.settle(called.parent)
            return called
        number += 1
