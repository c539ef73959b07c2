"""Plays cases side by side: a grader waits most of its time."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil

from accepted.grade.engine import Report, Stopped, grade
from accepted.grade.verdict import Result
from accepted.graders.cases import Case, digest, judges
from accepted.graders.expected import Outcome, came
from accepted.graders.kept import Kept
from accepted.stack.errors import Problem

SUNNY = 300.0  # s for one sunny day
Heard = Callable[[Case, Outcome, Report | None], None]


def side_by_side() -> int:
    """As many as this machine plays without one slowing the others much: with two a core, more can't be judged."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores + cores // 2)


class Idle:
    """Whether the cores have had little to do since the last grading began: some wait for two minutes at a stretch."""

    SECONDS = 10  # one that has just begun has booted by then, and what it takes is seen
    BUSY = 35.0  # %: those of exercise 4 wait too, for bursts that need a machine with time

    def __init__(self) -> None:
        self._seen = deque[float](maxlen=self.SECONDS)

    def saw(self, used: float) -> None:
        """`used`: percent of all cores, of about a second."""
        self._seen.append(used)

    def begun(self) -> None:
        """Another is running from now on."""
        self._seen.clear()

    @property
    def long_enough(self) -> bool:
        return len(self._seen) == self.SECONDS and sum(self._seen) / self.SECONDS < self.BUSY


class Bench:
    """Plays cases. `evidence`: a folder for what is wrong. `run` returns only when nothing of it is running.

    `most`: as many as that side by side instead of `jobs` while the cores have nothing to do.
    """

    def __init__(self, kept: Kept, evidence: Path, jobs: int, most: int = 0, seed: int = 1) -> None:
        self.kept, self.evidence, self.jobs, self.most, self.seed = kept, evidence, jobs, max(jobs, most), seed
        self._stop = threading.Event()

    def known(self, case: Case) -> Outcome | None:
        """What it came to earlier, where that still holds. A tree that can't be laid was never played."""
        with tempfile.TemporaryDirectory(prefix="accepted-graders-") as folder:
            try:
                found = self.kept.find(case.id, digest(case, case.tree(Path(folder) / "tree")))
            except Problem:  # `play` says so
                return None
        return found and replace(found, judges=judges(case.exercise))

    def run(self, cases: Sequence[Case], heard: Heard) -> None:
        """`heard` is called in this thread as each ends. What could not be judged is tried once more, alone, and heard
        of twice."""
        again: list[Case] = []
        try:
            with closing(self._all(cases, self.jobs, self.most)) as ended:
                for case, outcome, report in ended:
                    if outcome.came == "not judged":
                        again.append(case)
                        heard(case, outcome, report)
                    else:
                        self._hear(case, outcome, report, heard)
            with closing(self._all(again, 1, 1)) as ended:
                for case, outcome, report in ended:
                    self._hear(case, replace(outcome, tries=2), report, heard)
        finally:
            self._stop.set()

    def _hear(self, case: Case, outcome: Outcome, report: Report | None, heard: Heard) -> None:
        self.kept.add(outcome)
        heard(case, outcome, report)

    def _all(
        self, cases: Sequence[Case], jobs: int, most: int
    ) -> Generator[tuple[Case, Outcome, Report | None], None, None]:
        idle = Idle()
        with ThreadPoolExecutor(most) as pool:
            running: dict[Future[tuple[Outcome, Report | None]], Case] = {}
            left = list(cases)
            try:
                while left or running:
                    while left and len(running) < (most if idle.long_enough else jobs):
                        case = left.pop(0)
                        running[pool.submit(self.play, case)] = case
                        idle.begun()
                    ended = wait(running, 1.0, return_when=FIRST_COMPLETED).done
                    idle.saw(psutil.cpu_percent())  # since it was last asked
                    for future in ended:
                        case = running.pop(future)
                        yield case, *future.result()
            except BaseException:
                self._stop.set()  # leaving the pool waits for those that run
                raise

    def play(self, case: Case) -> tuple[Outcome, Report | None]:
        """One case; the report where it was graded. Raises Stopped."""
        began = time.monotonic()
        folder = self.evidence / case.id.replace("/", "-")
        with tempfile.TemporaryDirectory(prefix="accepted-graders-") as private:
            try:
                tree = case.tree(Path(private) / "tree")
            except Problem as problem:
                return Outcome(case.id, "", "otherwise", str(problem)), None
            mark = digest(case, tree)
            if case.kind == "sunny":
                outcome, report = self._sunny(case, tree, mark), None
            else:
                report = grade(case.exercise, tree, case.backend, self.seed, folder, stop=self._stop)
                outcome = judged(case, report.checks, mark)
        if outcome.came == "as it must":
            shutil.rmtree(folder, ignore_errors=True)
        took = round(time.monotonic() - began, 1)
        return replace(outcome, seconds=took, judges=judges(case.exercise)), report

    def _sunny(self, case: Case, tree: Path, mark: str) -> Outcome:
        command = [sys.executable, "-m", "accepted.cli", "demo", "--sunny", "--stack", "local"]
        command += ["--tree", str(tree), "--backend", case.backend]
        with tempfile.TemporaryFile() as out:
            demo = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
            deadline = time.monotonic() + SUNNY
            try:
                while demo.poll() is None and time.monotonic() < deadline:
                    if self._stop.wait(0.05):
                        raise Stopped
            finally:
                if late := demo.poll() is None:
                    demo.send_signal(signal.SIGINT)
                    try:
                        demo.wait(60)
                    except subprocess.TimeoutExpired:
                        demo.kill()  # its tether ends what it started
                        demo.wait()
            out.seek(0)
            said = [line.strip() for line in out.read().decode(errors="replace").splitlines() if line.strip()]
        if late:
            return Outcome(case.id, mark, "not judged", f"no end within {SUNNY:g} s")
        if demo.returncode:
            wrong = next((line for line in said if "✗" in line), said[-1] if said else "it said nothing")
            return Outcome(case.id, mark, "otherwise", f"the sunny demo ended with {demo.returncode}: {wrong}")
        return Outcome(case.id, mark, "as it must")


def judged(case: Case, checks: Sequence[Result], mark: str) -> Outcome:
    verdict, why = came(case, {one.name: one for one in checks})
    return Outcome(case.id, mark, verdict, why, statuses={one.name: one.status for one in checks})
