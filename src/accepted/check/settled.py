"""Results that are whole: those of one run, put in place in one step, whoever else grades or writes there."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accepted.check import report as reporting
from accepted.grade.engine import LOG, Report, Tell, grade
from accepted.grade.exercise import Exercise
from accepted.stack.errors import cannot_write


def grade_into(
    results: Path, exercise: Exercise, tree: Path, backend: str, seed: int, tell: Tell, foreign: bool = False,
    stop: threading.Event | None = None,
) -> Report:  # fmt: skip
    """Grades, and leaves results/NN.json and the evidence in results/NN/. Raises Problem where nothing can be written,
    before it has begun where that can be seen by then; and whatever interrupts it, Stopped once `stop` is set, with
    the results of earlier runs as they were."""
    folder = results / exercise.label
    require_writable(folder)
    with tempfile.TemporaryDirectory(prefix="accepted-evidence-") as private:
        staged = Path(private)
        found = grade(exercise, tree, backend, seed, staged, tell, stop, folder, foreign)
        try:
            with alone(results):
                folder.mkdir(parents=True, exist_ok=True)
                for name in (LOG, *(f"{check}.txt" for check in exercise.toml.checks)):
                    (folder / name).unlink(missing_ok=True)
                for path in staged.iterdir():
                    shutil.copy(path, folder / path.name)
                reporting.save(results / f"{exercise.label}.json", reporting.as_json(found) + "\n")
        except OSError as error:
            raise cannot_write(error.filename or folder, error) from error
    return found


def require_writable(folder: Path) -> None:
    """Makes it where it is not there. Raises Problem."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise cannot_write(error.filename or folder, error) from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time in that folder, of all processes; makes it where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
