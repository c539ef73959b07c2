"""Replaces files of a learner's tree, none of which is ever lost: before the first of them changes, all are copied
into a folder beside the tree, and are on the disk."""

import fcntl
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from accepted import durable
from accepted.ladder import files
from accepted.loop.work import Work
from accepted.stack.errors import Problem, cannot_write

PATIENCE = 10.0  # s that one waits for another who is replacing files
ABOUT = ".about.json"
Tell = Callable[[Work, Path], None]


def replace(work: Work, verb: str, wanted: Mapping[str, Path | None], tell: Tell) -> Path | None:
    """Makes each path of the tree as the file that is wanted, or takes it away (None). Returns the stash that holds
    all that was there, or None where nothing had to change. `tell` hears of the stash before anything changes. To be
    called within `alone`. Raises Problem."""
    try:
        changing = {path: source for path, source in wanted.items() if not _same(work.tree / path, source)}
        if not changing:
            work.underway.unlink(missing_ok=True)
            return None
        kept = keep(work, verb)
        tell(work, kept)
        with uninterrupted():
            durable.write(work.underway, f"{verb}\n{kept}\n".encode())
            for path, source in sorted(changing.items()):
                _keep_newer(work.tree / path, kept / path)
                if source is None:
                    (work.tree / path).unlink(missing_ok=True)
                else:
                    durable.write(work.tree / path, source.read_bytes())
            work.underway.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(error.filename or work.tree, error) from error
    return kept


def keep(work: Work, verb: str) -> Path:
    """Copies every file of the tree. The folder has its name only when all is in it, and on the disk."""
    work.stashes.mkdir(exist_ok=True)
    private = work.stashes / f".{secrets.token_hex(6)}"
    try:
        private.mkdir()
        durable.copy(work.tree, private, sorted(files(work.tree)))
        if work.about.exists():
            durable.write(private / ABOUT, work.about.read_bytes())
        return _named(private, work.stashes / f"{time.strftime('%Y%m%d-%H%M%S')}-{verb}")
    finally:
        shutil.rmtree(private, ignore_errors=True)


def restored(stash: Path, tree: Path) -> dict[str, Path | None]:
    """What is wanted for the tree to be as it was when this stash was made."""
    gone: dict[str, Path | None] = dict.fromkeys(files(tree))
    return gone | {path: stash / path for path in files(stash)}


def all_of(work: Work) -> list[Path]:
    """The oldest first."""
    if not work.stashes.is_dir():
        return []
    found = (path for path in work.stashes.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


@contextmanager
def alone(work: Work) -> Iterator[None]:
    """One at a time replaces files of this tree. Raises Problem where another does not come to an end."""
    try:
        work.stashes.mkdir(parents=True, exist_ok=True)
        file = (work.stashes / ".lock").open("a")
    except OSError as error:
        raise cannot_write(error.filename or work.stashes, error) from error
    with file:
        deadline, pause = time.monotonic() + PATIENCE, threading.Event()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    why = f"another command has been replacing its files for {PATIENCE:.0f} s"
                    raise Problem(f"{work.tree} is busy", why, "Wait for that one, or end it; then again.") from None
                pause.wait(0.05)
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the files are all of one kind: this takes milliseconds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda which, frame: arrived.append(which)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def _same(path: Path, source: Path | None) -> bool:
    if source is None:
        return not path.exists() and not path.is_symlink()
    return path.is_file() and not path.is_symlink() and path.read_bytes() == source.read_bytes()


def _keep_newer(path: Path, kept: Path) -> None:
    """An editor may have saved while the stash was being made."""
    if path.is_file() and (not kept.exists() or path.read_bytes() != kept.read_bytes()):
        durable.write(kept, path.read_bytes())


def _named(folder: Path, name: Path) -> Path:
    number = 1
    while True:
        called = name if number == 1 else name.with_name(f"{name.name}-{number}")
        if not called.exists():
            folder.rename(called)
            durable.settle(called.parent)
            return called
        number += 1
