"""One grading in the background, which can be called off."""

import queue
import threading
from pathlib import Path

from accepted.check.settled import grade_into
from accepted.grade.engine import Report, Stopped
from accepted.grade.exercise import Exercise
from accepted.grade.verdict import Result
from accepted.loop.work import Work
from accepted.stack.errors import Problem
from accepted.stack.procfile import read

News = Result | Report | Problem


class Grading:
    """`news` has each check as it ends, then the report, or the Problem that kept it from one. After `call_off` it has
    no more."""

    def __init__(self, exercise: Exercise, work: Work, backend: str, seed: int, results: Path) -> None:
        self.exercise, self.work, self.backend, self.seed, self.results = exercise, work, backend, seed, results
        self.news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"grade {exercise.label}")
        self._thread.start()

    def call_off(self) -> None:
        """Returns at once; what it started is ended in its own time."""
        self._stop.set()

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether nothing of it is running any more; waits so long for that."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            read(self.work.tree / "Procfile")
            self._put(grade_into(self.results, self.exercise, self.work.tree, self.backend, self.seed, self._put,
                                 stop=self._stop))  # fmt: skip
        except Stopped:
            return
        except Problem as problem:
            self._put(problem)
        except Exception as error:  # it is shown, and the watch goes on
            self._put(Problem("it could not be graded", f"{type(error).__name__}: {error}", "Save again to try again."))

    def _put(self, news: News) -> None:
        if not self._stop.is_set():
            self.news.put(news)
