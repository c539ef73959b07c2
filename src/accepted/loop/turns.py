"""One at a time replaces files of a tree, and is not interrupted in the middle."""

import fcntl
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from accepted.loop.work import Work, found
from accepted.stack.errors import Problem, cannot_write

PATIENCE = 10.0  # s that one waits for another who is replacing files


@contextmanager
def alone(work: Work) -> Iterator[Work]:
    """Nobody else replaces files of this tree meanwhile. Gives what is written down about it now: whoever came before
    may have changed it. Raises Problem where another does not come to an end."""
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
        yield found(work.tree) or work


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the files are all of one kind, and written down as that. It waits for as long as it takes to
    write the files that change: a tree's modules take well under a second."""
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
