"""What happened to a learner's tree: a line of JSON for each grading and for whatever was shown or replaced."""

import fcntl
import json
import os
import time
from typing import Any, BinaryIO

from accepted.grade.engine import Report
from accepted.loop.work import Work
from accepted.stack.errors import cannot_write

Event = dict[str, Any]


def add(work: Work, what: str, **more: object) -> None:
    """`what`: started, graded, hint, diff, caught-up, reset or restored. Where the tree was taken away meanwhile there
    is nobody to tell. Raises Problem."""
    line = json.dumps({"at": round(time.time(), 3), "what": what, **more}).encode() + b"\n"
    try:
        with work.journal.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line if _ended(file) else b"\n" + line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(error.filename or work.journal, error) from error


def _ended(file: BinaryIO) -> bool:
    """Whether its last line is whole: a crash may have torn it."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def graded(work: Work, report: Report, modules: str) -> None:
    """`modules`: the digest of the exercise's, as they were when it began. Raises Problem."""
    given = report.exercise in work.given
    add(work, "graded", exercise=report.exercise, verdict=report.verdict, given=given, backend=report.backend,
        seed=report.seed, seconds=report.seconds, modules=modules)  # fmt: skip


def read(work: Work) -> list[Event]:
    """In order. A line that a crash or an editor has spoilt is passed over."""
    try:
        text = work.journal.read_text(errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("at"), int | float) and isinstance(event.get("what"), str):
            found.append(event)
    return found
