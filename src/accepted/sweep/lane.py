"""One stage on which case follows case: recorded clean, then killed at one crossing, restarted, drained and judged."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import httpx
import psycopg

from accepted.faults.crossings import Crossing
from accepted.faults.strike import Struck, has_tree, kill_at, kill_now
from accepted.oracle.history import Asked, History
from accepted.oracle.judge import judge
from accepted.oracle.reader import read
from accepted.oracle.verdict import Verdict
from accepted.sweep.cases import Case, Chance, Point, Result, points
from accepted.sweep.stage import Stage
from accepted.sweep.stories import STORIES

DRAIN = 240.0  # s for one job and its children, which take two where nothing else runs
PATIENCE = 30.0  # s with everything up and at rest, and a job that is not over: stuck
OVERDUE = 120.0  # s more for a job that its case did not see the end of
RUNS = 3  # clean runs; what all of them crossed is killed at
TRIES = 3  # of a case whose crossing was not reached
SLOW = 0.4  # of a lease, for each answer of whom the job works with, from the last of them on: it is renewed each third
MOST_TRIES = 12  # where clean runs still come to it: a timer goes off in one run and not in the next
BELATED = 2.0  # s after the drain for crossings that come at the very end


class Lane:
    """Not thread-safe; several lanes have a stage each. `drain`, `overdue`: s, as above."""

    def __init__(self, stage: Stage, drain: float = DRAIN, overdue: float = OVERDUE) -> None:
        self.stage, self.drain, self.overdue = stage, drain, overdue
        self._since = stage.ledger_seq()
        self.asked: list[Asked] = []
        self.cold: set[tuple[str, str, str]] = set()  # classes that only a fresh process crosses
        self.owed: list[Asked] = []  # undrained: what becomes of it would be charged to the next case
        self.spoiled = False  # no case can follow on this stage
        self.patience = DRAIN  # s without an event: stuck. On a machine that is only slow something always moves

    def trees(self) -> set[str]:
        """The processes that have children."""
        return {name for name in self.stage.processes if has_tree(self.stage.stack.runner, name)}

    def record(self, kind: str) -> tuple[list[Point], list[Crossing]]:
        """The points of a kind, and all that crossed in the last clean run."""
        runs = []
        for turn in range(RUNS + 1):
            run = self._clean(kind)
            if turn:  # the first only warms up: connections are opened, statements prepared
                runs.append(run)
        polled = [cls for cls in self.stage.idle.rates if self.stage.idle.polled(cls)]
        return points(kind, runs, polled), runs[-1]

    def _clean(self, kind: str) -> list[Crossing]:
        if not self.stage.settle():
            raise RuntimeError(f"the system does not come to rest: {self.stage.restless()}")
        request = STORIES[kind](self.stage.objects)
        self.stage.play(*request.rules)
        window = self.stage.proxies.open()
        asked = self.stage.client.ask(request)
        answered = time.time()
        self.asked.append(asked)
        if not self.drained([asked]):
            raise RuntimeError(f"a clean run of {kind} did not come to its end within {DRAIN:.0f} s")
        self.stage.settle()
        # How often we look at the job is our business: of web, later crossings count by their first only.
        known: set[tuple[str, str, str]] = set()
        found = []
        for one in window.shown():
            if one.process == "web" and one.at > answered and one.kind in known:
                continue
            known.add(one.kind)
            found.append(one)
        return found

    def run(self, case: Case) -> Result:
        """Never raises for what the system under test does: that is a verdict."""
        began, tries, turn = time.monotonic(), TRIES, 0
        while True:
            with self._slowly(case.point) if turn >= TRIES - 1 else nullcontext():
                result = self._once(case, began, fresh=turn > 0 or case.point.cls in self.cold)
            self._wait_for_owed()
            turn += 1
            if result.killed or result.outcome == "fail":
                if turn > 1:
                    self.cold.add(case.point.cls)
                return result
            if self.spoiled or turn == MOST_TRIES or result.outcome != "unknown":
                return result
            if turn == tries:
                if not self._comes_to(case.point):
                    return replace(result, by_chance=True)
                tries = MOST_TRIES

    @contextmanager
    def _slowly(self, point: Point) -> Iterator[None]:
        """On a quick machine a job is over before a timer goes off that its lease has: its work takes longer here."""
        seconds = SLOW * float(self.stage.env["LEASE"])
        fast = self.stage.proxies.slow_down(seconds, service="store" if point.kind == "report.export" else "partner")
        try:
            yield
        finally:
            fast()

    def _wait_for_owed(self) -> None:
        """A job that was not drained goes on, and its effect must not fall into the next case."""
        self.spoiled |= not self.drained(self.owed, self.overdue)
        if not self.spoiled:
            self.owed = []

    def drained(self, asked: Sequence[Asked], seconds: float | None = None) -> bool:
        """Not waited for any longer where all processes have been up, and at rest, for PATIENCE."""
        moved = time.monotonic()

        def hopeless() -> bool:
            nonlocal moved
            if self.stage.restless(asking=True):
                moved = time.monotonic()
            self.patience = PATIENCE if time.monotonic() - moved > PATIENCE else DRAIN
            return self.patience == PATIENCE

        self.patience = DRAIN
        return self.stage.client.drained(asked, self.drain if seconds is None else seconds, hopeless)

    def _comes_to(self, point: Point) -> bool:
        """Whether a clean run still crosses here: on a busy machine a timer may go off in a run that is long over
        on another day."""
        try:
            runs = [self._clean(point.kind) for _ in range(2)]
        except RuntimeError:
            return True
        return any((one.kind, one.ordinal) == (point.cls, point.ordinal) for run in runs for one in run)

    def _once(self, case: Case, began: float, fresh: bool) -> Result:
        stage = self.stage
        nothing = Result(str(case), case.point.kind, case.point.process, Verdict(), 0.0, case.victim)
        if fresh:
            stage.stack.runner.kill(case.point.process)
        if why := self._unfit():
            return replace(nothing, verdict=why, seconds=time.monotonic() - began)
        struck: list[Struck] = []
        marks: list[tuple[float, str]] = []

        def strike(crossing: Crossing, port: int) -> bool:
            done = kill_at(stage.stack.runner, case.point.process, port, case.victim, time.time())
            struck.append(done)
            marks.append((done.at, f"SIGKILL {case.victim} {done.pids} at {crossing}, {case.mode}"))
            return done.owner_alive

        request = STORIES[case.point.kind](stage.objects)
        stage.play(*request.rules)
        since = stage.ledger_seq()
        window = stage.proxies.open(case.target, strike)
        if case.target.waiting and case.mode == "before":
            window.fired.wait(8)
        asked = stage.client.ask(request, DRAIN)
        self.asked.append(asked)
        drained = self.drained([asked])
        if drained:
            window.fired.wait(self._belated(case.point))
        drained = drained and self.drained([asked])
        history, verdict = self._judged(asked, drained, since, str(case))
        killed = bool(struck) and all(one.dead for one in struck)
        if not killed and verdict.outcome == "pass":
            why_not = "the process was not seen dead" if struck else "the crossing was not reached"
            if window.trouble:
                why_not = f"the kill failed: {type(window.trouble).__name__}: {window.trouble}"
            verdict = Verdict(verdict.findings, why_not)
        kept = verdict.outcome != "pass"
        return replace(
            nothing, verdict=verdict, killed=killed, seconds=time.monotonic() - began,
            history=history if kept else None, crossings=tuple(window.shown()) if kept else (), marks=tuple(marks),
        )  # fmt: skip

    def _belated(self, point: Point) -> float:
        """Seconds to wait for it after the drain: what an idle process does now and then comes when it comes."""
        rate = self.stage.idle.rates.get(point.cls, 0.0)
        return max(BELATED, min(12.0, 2 / rate)) if rate else BELATED

    def run_at_random(self, chance: Chance) -> Result:
        """A kill at a time, not at a crossing: it also hits what passes no line (memory, pipes, local files)."""
        stage, began = self.stage, time.monotonic()
        if why := self._unfit():
            return Result(str(chance), "random", chance.process, why, time.monotonic() - began, chance.victim)
        request = STORIES[chance.kind](stage.objects)
        stage.play(*request.rules)
        since = stage.ledger_seq()
        window = stage.proxies.open()
        struck: list[Struck] = []

        def strike() -> None:
            struck.append(kill_now(stage.stack.runner, chance.process, chance.victim, time.time()))

        timer = threading.Timer(chance.after, strike)
        timer.start()
        asked = stage.client.ask(request, DRAIN)
        self.asked.append(asked)
        timer.join()
        history, verdict = self._judged(asked, self.drained([asked]), since, str(chance))
        self._wait_for_owed()
        killed = bool(struck) and struck[0].dead
        if not killed and verdict.outcome == "pass":
            verdict = Verdict(unknown="the process was not seen dead")
        marks = tuple((one.at, f"SIGKILL {one.victim} {one.pids} of {chance.process}") for one in struck)
        return Result(
            str(chance), "random", chance.process, verdict, time.monotonic() - began, chance.victim, killed, history,
            tuple(window.shown()) if verdict.outcome != "pass" else (), marks,
        )  # fmt: skip

    def _unfit(self) -> Verdict | None:
        """Why no case can begin now; None once all is at rest."""
        if self.stage.settle():
            return None
        self.spoiled = True
        return Verdict(unknown=f"the system did not come to rest before the case: {self.stage.restless()}")

    def _judged(self, asked: Asked, drained: bool, since: int, note: str) -> tuple[History, Verdict]:
        history = self.history([asked], drained, since, note)
        verdict = judge(history)
        if not drained:
            self.owed.append(asked)
        self.spoiled |= asked.job is None  # whether it becomes a job, and when, nobody can say
        if asked.job is None and verdict.outcome == "pass":
            verdict = Verdict(unknown=f"no answer to the request within {DRAIN:.0f} s")
        return history, verdict

    def history(self, asked: Sequence[Asked], drained: bool, since: int, note: str) -> History:
        """What the witnesses say; asked again for a while where one of them was just killed."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return read(self.stage.where, asked, drained=drained, patience=self.patience, since=since, note=note)
            except (psycopg.OperationalError, httpx.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def closing(self) -> Verdict:
        """Everything that was ever asked on this stage, judged together: what came late is found here."""
        drained = not self.spoiled and self.stage.settle() and self.drained(self.asked)
        verdict = judge(self.history(self.asked, drained, self._since, "all cases together"))
        if self.spoiled:  # told by the case that spoiled it: what is certain still counts
            return Verdict(tuple(one for one in verdict.findings if one.flaw != "stuck"))
        return verdict
