"""The sweep itself: lanes side by side, each with a stage of its own, taking cases from one list."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from accepted.faults.crossings import Crossing
from accepted.oracle.verdict import Verdict
from accepted.sweep import cases
from accepted.sweep.cases import Case, Chance, Point, Result
from accepted.sweep.lane import Lane
from accepted.sweep.stage import Stage
from accepted.sweep.stories import STORIES

Told = Callable[[str], None]
Progress = Callable[[Result, int, int], None]  # the newest, how many are done, of how many


@dataclass(frozen=True)
class Plan:
    """What is wanted. `only`: names or beginnings of names; `random`: so many kills at random times."""

    tree: Path
    backend: str
    quick: bool = False
    seed: int = 0
    only: Sequence[str] = ()
    kinds: Sequence[str] = tuple(STORIES)
    lanes: int = 3
    random: int = 24
    first: Sequence[str] = ()  # flaws: the first that is found ends the sweep


@dataclass
class Found:
    """What came of it. `recorded`: all that crossed in a clean run of each kind."""

    results: list[Result] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    recorded: dict[str, list[Crossing]] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)

    def crossings(self) -> dict[tuple[str, str], int]:
        """How many points there are, by kind and process."""
        counted: dict[tuple[str, str], int] = {}
        for point in self.points:
            counted[point.kind, point.process] = counted.get((point.kind, point.process), 0) + 1
        return counted


def sweep(plan: Plan, tell: Told, progress: Progress) -> Found:
    """Raises stack.errors.Problem where a stage can't boot."""
    found = Found()
    with ExitStack() as leaving:
        first = Lane(leaving.enter_context(Stage(plan.tree, plan.backend, plan.seed)))
        work = _plan(first, plan, found, tell)
        waiting: queue.SimpleQueue[Case | Chance] = queue.SimpleQueue()
        for one in work:
            waiting.put(one)
        lock = threading.Lock()
        trouble: list[BaseException] = []

        def work_off(lane: Lane) -> None:
            while not trouble and not any(_has(result, plan.first) for result in found.results):
                try:
                    one = waiting.get_nowait()
                except queue.Empty:
                    break
                result = lane.run(one) if isinstance(one, Case) else lane.run_at_random(one)
                with lock:
                    found.results.append(result)
                    progress(result, len(found.results), len(work))
            if plan.first:
                return
            together = _together(lane)
            with lock:
                if together.outcome != "pass":
                    found.results.append(together)

        def another() -> None:
            try:
                with Stage(plan.tree, plan.backend, plan.seed) as stage:
                    work_off(Lane(stage))
            except BaseException as error:  # told by the one who waits for us
                trouble.append(error)

        others = min(plan.lanes - 1, len(work) // 6)  # a boot costs as much as several cases
        threads = [threading.Thread(target=another, name=f"lane {n + 2}") for n in range(others)]
        for thread in threads:
            thread.start()
        try:
            work_off(first)
        except BaseException as error:
            trouble.append(error)
            raise
        finally:
            for thread in threads:
                thread.join()
        if trouble:
            raise trouble[0]
    order = {str(one): n for n, one in enumerate(work)}
    found.results.sort(key=lambda one: order.get(one.case, len(order)))
    return found


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
