"""Replaces files of a learner's tree, none of which is ever lost: before the first of them changes, all are in a stash
beside the tree, and on the disk."""

import filecmp
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from accepted import durable
from accepted.ladder import entries
from accepted.loop.stash import REST, keep
from accepted.loop.turns import uninterrupted
from accepted.loop.work import Work
from accepted.stack.errors import Problem, cannot_write

Wanted = Mapping[str, Path | None]
Tell = Callable[[Work, Path], None]
Then = Callable[[Path | None], None]


def replace(
    work: Work, verb: str, wanted: Wanted, tell: Tell, then: Then, notice: Path | None = None
) -> Path | None:  # fmt: skip
    """Makes each path of the tree what is wanted, or takes it away (None). Returns the stash that holds all that was
    there, or None where nothing had to change. `tell` hears of the stash before anything changes. `then` writes down
    what was done: until it has, Ctrl-C waits, and a crash leaves the notice that it was cut off. `notice`: one that
    holds again afterwards, where such a file is there. To be called within `alone`. Raises Problem."""
    try:
        changing = {path: source for path, source in wanted.items() if not _is_so(work.tree, path, source)}
        _refuse_to_reach_through_links(work.tree, changing)
        whole = entries(work.tree) <= wanted.keys()
        kept = keep(work, verb) if changing else None
        if kept:
            tell(work, kept)
        with uninterrupted():
            before = work.half_way()
            if kept:
                if before is None:  # else the stash to go back to is the older one
                    durable.write(work.underway, f"{verb}\n{kept}\n".encode())
                _exchange(work.tree, changing, kept)
            then(kept)
            if notice and notice.exists():
                durable.put(notice, work.underway)
            elif before is None or before[0] == verb or whole:  # else another's half is still there
                work.underway.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(error.filename or work.tree, error) from error
    return kept


def _exchange(tree: Path, changing: Wanted, kept: Path) -> None:
    """First what goes, then what comes: a file may come where a folder was, and a folder where a file was."""
    for path in sorted(path for path, source in changing.items() if source is None):
        _keep_newer(tree / path, kept / path)
        _take_away(tree / path, kept / REST / path)
        for above in _above(tree, path):
            if any(above.iterdir()):
                break
            above.rmdir()
    for path, source in sorted(changing.items()):
        if source is not None:
            _keep_newer(tree / path, kept / path)
            for above in reversed(_above(tree, path)):
                if not above.is_dir():
                    above.unlink(missing_ok=True)
            if _is_folder(tree / path):
                _take_away(tree / path, kept / REST / path)
            durable.put(source, tree / path)


def _take_away(path: Path, rest: Path) -> None:
    """Where it is a folder, it has what no stash holds: caches, hidden files. That goes to `rest`."""
    if _is_folder(path):
        rest.parent.mkdir(parents=True, exist_ok=True)
        path.rename(rest)
    else:
        path.unlink(missing_ok=True)


def _keep_newer(path: Path, kept: Path) -> None:
    """An editor may have saved while the stash was being made."""
    if (path.is_file() or path.is_symlink()) and not _alike(path, kept):
        durable.put(path, kept)


def _is_so(tree: Path, path: str, source: Path | None) -> bool:
    if not all(map(_is_folder, _above(tree, path))):  # what is behind a link is not in the tree
        return source is None
    if source is None:
        return not os.path.lexists(tree / path)
    return _alike(tree / path, source)


def _alike(one: Path, other: Path) -> bool:
    """The same content and permissions, or links that lead to the same."""
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    if not one.is_file() or not other.is_file() or (one.stat().st_mode ^ other.stat().st_mode) & 0o777:
        return False
    return filecmp.cmp(one, other, shallow=False)


def _refuse_to_reach_through_links(tree: Path, changing: Wanted) -> None:
    for path, source in changing.items():
        for above in _above(tree, path) if source else ():
            if above.is_symlink() and above.relative_to(tree).as_posix() not in changing:
                why = "what is behind it is in no stash, and not to be lost"
                raise Problem(f"{above} is a link", why, "Put the folder itself in its place; then again.")


def _above(tree: Path, path: str) -> list[Path]:
    """The folders of the tree in which it is, the innermost first."""
    return [tree / above for above in Path(path).parents[:-1]]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
