"""The sweep itself: lanes side by side, each with a stage of its own, taking cases from one list."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from accepted.faults.crossings import Crossing
from accepted.oracle.verdict import Verdict
from accepted.sweep import cases
from accepted.sweep.cases import Case, Chance, Point, Result
from accepted.sweep.lane import Lane
from accepted.sweep.stage import TIMINGS, Idle, Stage
from accepted.sweep.stories import STORIES

Told = Callable[[str], None]
Progress = Callable[[Result, int, int], None]  # the newest, how many are done, of how many


@dataclass(frozen=True)
class Plan:
    """What is wanted. `only`: names or beginnings of names; `random`: so many kills at random times; `lease`: s."""

    tree: Path
    backend: str
    quick: bool = False
    seed: int = 0
    only: Sequence[str] = ()
    kinds: Sequence[str] = tuple(STORIES)
    lanes: int = 4
    random: int = 24
    first: Sequence[str] = ()  # flaws: the first that is found ends the sweep
    lease: float = float(TIMINGS["LEASE"])

    @property
    def env(self) -> dict[str, str]:
        """What differs from the stage's own settings."""
        return {"LEASE": f"{self.lease:g}"}


@dataclass
class Found:
    """What came of it. `recorded`: all that crossed in a clean run of each kind; `by_chance`: cases of crossings that
    no later run came to."""

    results: list[Result] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    recorded: dict[str, list[Crossing]] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)
    by_chance: list[Result] = field(default_factory=list)

    def crossings(self) -> dict[tuple[str, str], int]:
        """How many points there are, by kind and process."""
        counted: dict[tuple[str, str], int] = {}
        for point in self.points:
            counted[point.kind, point.process] = counted.get((point.kind, point.process), 0) + 1
        return counted


def sweep(plan: Plan, tell: Told, progress: Progress) -> Found:
    """Raises stack.errors.Problem where a stage can't boot."""
    found = Found()
    with Crew(plan, found, progress) as crew:
        with Stage(plan.tree, plan.backend, plan.seed, plan.env) as stage:
            first = Lane(stage)
            crew.hire(max(0, plan.lanes - 1) if _is_long(plan) else 0, stage.idle)
            crew.begin(_plan(first, plan, found, tell))
            crew.work_off(first)
        crew.go_on(stage.idle)
    order = {str(one): n for n, one in enumerate(crew.work)}
    found.results.sort(key=lambda one: order.get(one.case, len(order)))
    return found


def _is_long(plan: Plan) -> bool:
    """A boot costs as much as several cases: for a case or two it is not worth one."""
    return not any("#" in one or one.startswith("random/") for one in plan.only)


class Crew:
    """The lanes, taking cases from one list. A further lane boots while the first records."""

    def __init__(self, plan: Plan, found: Found, progress: Progress) -> None:
        self.plan, self.found, self.progress = plan, found, progress
        self.work: list[Case | Chance] = []
        self.trouble: list[BaseException] = []
        self._waiting: queue.SimpleQueue[Case | Chance] = queue.SimpleQueue()
        self._planned = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def hire(self, number: int, idle: Idle) -> None:
        """So many further lanes."""
        for n in range(number):
            thread = threading.Thread(target=self._another, args=(idle,), name=f"lane {n + 2}")
            self._threads.append(thread)
            thread.start()

    def begin(self, work: list[Case | Chance]) -> None:
        """The work is known."""
        self.work = work
        for one in work:
            self._waiting.put(one)
        self._planned.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Waits until all lanes are done. Raises what went wrong in one of them."""
        if error:
            self.trouble.append(error)
        self._planned.set()
        for thread in self._threads:
            thread.join()
        if self.trouble and not error:
            raise self.trouble[0]

    def go_on(self, idle: Idle) -> None:
        """The cases that are left, on a fresh stage, and on another one whenever a case has spoiled it."""
        while not self._enough() and not self._waiting.empty():
            with Stage(self.plan.tree, self.plan.backend, self.plan.seed, self.plan.env, idle=idle) as stage:
                self.work_off(Lane(stage))

    def _enough(self) -> bool:
        return bool(self.trouble) or any(_has(result, self.plan.first) for result in self.found.results)

    def work_off(self, lane: Lane) -> None:
        """Case after case until none is left, or one spoils the stage; then all of them together."""
        while not self._enough() and not lane.spoiled:
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                break
            result = lane.run(one) if isinstance(one, Case) else lane.run_at_random(one)
            with self._lock:
                (self.found.by_chance if result.by_chance else self.found.results).append(result)
                self.progress(result, len(self.found.results) + len(self.found.by_chance), len(self.work))
        if self.plan.first or self.trouble:
            return
        together = _together(lane)
        with self._lock:
            if together.outcome != "pass":
                self.found.results.append(together)

    def _another(self, idle: Idle) -> None:
        try:
            with Stage(self.plan.tree, self.plan.backend, self.plan.seed, self.plan.env, idle=idle) as stage:
                self._planned.wait()
                self.work_off(Lane(stage))
            self.go_on(idle)
        except BaseException as error:  # told by the one who waits for us
            self.trouble.append(error)


def _plan(lane: Lane, plan: Plan, found: Found, tell: Told) -> list[Case | Chance]:
    found.trees = lane.trees()
    named = [one for one in plan.only if one.startswith("random/") and one.count("/") == 4]
    rest = [one for one in plan.only if one not in named]
    wanted = [kind for kind in plan.kinds if not plan.only or any(one.startswith(kind) for one in rest)]
    for kind in wanted:
        points, found.recorded[kind] = lane.record(kind)
        found.points += points
        tell(f"{kind}: a clean run has {len(points)} crossings")
        for point in points:
            tell(
                f"    {str(point).partition('/')[2]}"
                + ("   (waits for it when the job comes)" if point.waiting else "")
            )
    choose = cases.quick if plan.quick else cases.full
    chosen: list[Case | Chance] = [*cases.matching(choose(found.points, found.trees), rest)]
    if plan.only:
        # Whatever is named runs, even where the quick choice left it out.
        chosen = [*cases.matching(cases.full(found.points, found.trees), rest)] if not plan.quick else chosen
    if (not plan.only and not plan.quick) or "random" in plan.only:
        chosen += cases.chances(plan.random, plan.seed, list(plan.kinds), found.trees, lane.stage.processes)
    return chosen + [cases.chance(name) for name in named]


def _has(result: Result, flaws: Sequence[str]) -> bool:
    return any(one.flaw in flaws for one in result.verdict.findings)


def _together(lane: Lane) -> Result:
    """All that was asked on this stage, once more: what came late is found here."""
    began = time.monotonic()
    try:
        verdict = lane.closing()
    except Exception as error:
        verdict = Verdict(unknown=f"the witnesses could not be heard: {error}")
    return Result("all cases of a lane, together", "all", "", verdict, time.monotonic() - began)
