"""Runs an exercise's checks in a process of their own, and has a verdict whatever becomes of it."""

import hashlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from accepted.grade.exercise import Exercise
from accepted.grade.leftovers import GRADING, end_marked
from accepted.grade.request import Request
from accepted.grade.verdict import EXIT, Result, Status, overall
from accepted.stack.child import ending

LEAVING = 20.0  # s in which the checks' process has to be gone once it was asked to
TETHER = 15.0  # s in which a process that was killed has its servers ended by its tether
LOG = "grader.log"
Tell = Callable[[Result], None]


class Stopped(Exception):
    """Whoever asked for the grading set its `stop`."""


@dataclass
class Report:
    """What results/NN.json holds."""

    exercise: int
    slug: str
    tree: str
    backend: str
    seed: int
    verdict: Status
    exit: int
    started: float
    seconds: float
    versions: Mapping[str, str]
    checks: Sequence[Result] = field(default_factory=list)


def grade(
    exercise: Exercise, tree: Path, backend: str, seed: int, folder: Path, tell: Tell = lambda result: None,
    stop: threading.Event | None = None, shown: Path | None = None, foreign: bool = False,
) -> Report:  # fmt: skip
    """Runs all checks and returns what they came to; `tell` hears of each as it ends. Whole evidence goes to `folder`,
    and is spoken of as if it lay in `shown`. `foreign`: an app of somebody's own, which runs in its own folder.

    Raises whatever interrupts it, and Stopped once `stop` is set, when nothing is left running. May be called from
    several threads.
    """
    started, began = time.time(), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.txt"):
        old.unlink()
    mark, own = secrets.token_hex(8), _digests(exercise)
    with tempfile.TemporaryDirectory(prefix="accepted-grade-") as private, _Reader(tell) as reader:
        request = Request(str(exercise.folder), str(tree.resolve()), backend, seed, reader.fd, str(folder),
                          str(shown or folder), foreign)  # fmt: skip
        command = [sys.executable, "-m", "accepted.grade.child", str(request.write(Path(private) / "request.json"))]
        with (folder / LOG).open("wb") as out:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, GRADING: mark}, pass_fds=[reader.fd],
            )  # fmt: skip
            try:
                late = not _wait(child, reader, began + exercise.toml.seconds, stop or threading.Event())
            finally:
                code = _end(child)
                end_marked(mark, TETHER if code < 0 else 1.0)
        reader.read()
    log = (shown or folder) / LOG
    checks = _complete(exercise, reader, late, code, log)
    if changed := {name for name, _ in own.items() ^ _digests(exercise).items()}:
        checks.append(_meddled(exercise, sorted(changed)))
    for result in checks:
        if result.name not in reader.results:
            tell(result)
    status = overall(checks)
    return Report(
        exercise.toml.number, exercise.toml.slug, str(tree), backend, seed, status, EXIT[status], round(started, 3),
        round(time.monotonic() - began, 3), versions(backend), checks,
    )  # fmt: skip


def versions(backend: str) -> dict[str, str]:
    """Of what the verdict may depend on."""
    library = "rq" if backend == "rq" else "celery"
    found = {name: metadata.version(name) for name in ("accepted", "flask", library, "pytest")}
    return {"python": sys.version.split()[0], **found}


class _Reader:
    """Reads what the checks' process says through a pipe of theirs, which nobody else inherits: what an app prints goes
    to its log, and there is no file of results that it could write to."""

    def __init__(self, tell: Tell) -> None:
        self.results: dict[str, Result] = {}
        self.running: str | None = None
        self.ended = False
        self._tell, self._rest = tell, b""
        self._from, self.fd = os.pipe()
        os.set_blocking(self._from, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._from)
        os.close(self.fd)

    def read(self) -> None:
        try:
            while said := os.read(self._from, 65536):
                *lines, self._rest = (self._rest + said).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        except BlockingIOError:
            return

    def _take(self, told: Mapping[str, Any]) -> None:
        self.ended |= "end" in told
        self.running = told.get("begin", self.running)
        if "result" in told:
            result = Result(**told["result"])
            self.results[result.name] = result
            self.running = None
            self._tell(result)


def _wait(child: subprocess.Popen[bytes], reader: _Reader, deadline: float, stop: threading.Event) -> bool:
    while child.poll() is None:
        if time.monotonic() > deadline:
            return False
        reader.read()
        if stop.wait(0.03):
            raise Stopped
    return True


def _end(child: subprocess.Popen[bytes]) -> int:
    """Asks it to stop, which ends all that it started; if it does not, its tether ends that."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(LEAVING)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.kill()
    return child.wait()


def _complete(exercise: Exercise, reader: _Reader, late: bool, code: int, log: Path) -> list[Result]:
    """A result for every check: what the process did not come to is unknown, what it died of is the grader's error."""
    limit = exercise.toml.seconds
    dead = late or not reader.ended or code not in (0, 1)
    found = []
    for name in exercise.toml.order():
        check = exercise.toml.checks[name]
        result = reader.results.get(name)
        if result is None and late:
            why = f"it was not judged within the {limit:g} s that the exercise has"
            result = Result(name, "unknown", why, check.needs, check.says)
        elif result is None:
            here = "while it judged this" if name == reader.running else "before it came to this"
            why = f"the grader {ending(code)} {here}; what it said is in {log}"
            result = Result(name, "grader-error", why, check.needs, check.says, file=str(log))
        found.append(result)
    if "leaving" in reader.results:
        found.append(reader.results["leaving"])
    elif dead and all(result.status == "pass" for result in found):
        found.append(Result("leaving", "grader-error", f"the grader {ending(code)}; see {log}", file=str(log)))
    return found


def _digests(exercise: Exercise) -> dict[str, str]:
    """Of the files that judge."""
    paths = [*exercise.folder.glob("*.py"), exercise.folder / "exercise.toml"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}


def _meddled(exercise: Exercise, changed: Sequence[str]) -> Result:
    what = f"{', '.join(changed)} in {exercise.folder} changed while it graded, so this verdict is nobody's"
    cure = f"`git diff -- {shlex.quote(str(exercise.folder))}` shows how; grade again once they stay as they are"
    return Result("grader-files", "grader-error", f"{what}; {cure}")
