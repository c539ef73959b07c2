"""What is done to the tree in exercise 9: workers killed in the middle of an upload, and a sweep an hour too early."""

import math
import time
from dataclasses import dataclass, field

from exports import OVER, Report, job_of, large, of_store, over, small

from accepted.faults.clock import skewed
from accepted.faults.store import Call
from accepted.faults.strike import kill_now
from accepted.grade import messages
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, STALL, TENANT, Stage
from accepted.grade.talking import talks
from accepted.grade.verdict import Unknown

SOON = 120.0  # s in which everything has to be over, also where it has a tenth of a laptop
LATER = 7200.0  # s by which the scheduler's clock is ahead for the sweep: orphans are kept for an hour
SWEEPS, SWEEP = 2, 5.0  # how often it is had to sweep, and s for each: one that fails is ten minutes before the next
BEGIN, PART, END = "begin", "part", "end"


@dataclass
class Scene:
    """What was asked for, and what the grader did."""

    asked: dict[str, Report] = field(default_factory=dict)
    marks: list[Moment] = field(default_factory=list)

    def mark(self, what: str, mark: str = "") -> None:
        self.marks.append(Moment(time.time(), what, mark))


def three(stage: Stage) -> Scene:
    """Three small reports; no worker gets its second before each has had one, so that all have what they need open."""
    scene, store = Scene(), stage.store
    store.rule = lambda call: math.inf if call.op == "part" else 0.0
    try:
        for name, tenant in (("ours", TENANT), ("our other", TENANT), ("theirs", OTHER)):
            scene.asked[name] = small(stage, name, tenant)
        stage.until(lambda: len(store.held()) >= 3, SOON)
    finally:
        store.release()
    stage.until(lambda: all(over(stage, one) for one in scene.asked.values()), SOON)
    return scene


class Edges:
    """The store's rule: it stops one upload where it begins, one in its last part, and one at its end.

    Whose an upload is, the store can't know. The exports are asked for one after the other, and each stands before the
    next is asked for; so what moves is the newest one's.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage, self.scene, self.on = stage, Scene(), True
        self.now = ""
        self.stands: dict[str, Call] = {}

    def __call__(self, call: Call) -> float:
        if not self.on or not self.now or self.now in self.stands or call.status is None or not of_store(call):
            return 0.0
        if self.now in self.scene.asked:
            self.scene.asked[self.now].keys.add(call.key)
        here = {
            BEGIN: call.op == "begin",
            PART: call.op == "part" and call.size < 2_000_000,
            END: call.op == "complete" and self._complete(call),
        }[self.now]
        if here:
            self.stands[self.now] = call
        return math.inf if here else 0.0

    def _complete(self, call: Call) -> bool:
        """Whether it made an object of all that was stored of it, and not of one part among several."""
        size = sum(one.size for one in list(self.stage.store.calls) if one.stored and one.upload == call.upload)
        return size > 8_000_000

    def stand(self, name: str) -> None:
        """One export more, until it stands where it has to. Raises Unknown where it doesn't."""
        self.now = name
        self.scene.asked[name] = large(self.stage, name, 2)
        self.stage.until(lambda: name in self.stands or over(self.stage, self.scene.asked[name]), SOON)
        if name not in self.stands:
            raise Unknown(f"an export was to stand at the {name} of its upload, and did not")
        self.scene.mark(f"the store has done this, and answers nobody: {self.stands[name]}")


def killed(stage: Stage) -> Scene:
    """Three uploads stand, and their workers die. When all is over the scheduler sweeps, with a clock far ahead."""
    edges = Edges(stage)
    scene = edges.scene
    stage.store.rule = edges
    for name in (END, PART, BEGIN):
        edges.stand(name)
    if len(stage.store.held()) < 3:
        raise Unknown("three uploads were to stand at the same time, and one of them went on")
    runner = stage.stack.runner
    raw = messages.of(stage.stack.addresses.broker, stage.backend)
    done = departed(runner, ["worker-cpu"], raw, lambda: kill_now(runner, "worker-cpu", "tree", time.time()))
    if not done.dead or not done.pids:
        raise Unknown("the workers were to die, and did not")
    scene.mark(f"SIGKILL to worker-cpu ({', '.join(map(str, done.pids))})", "the kill")
    edges.on = False
    stage.store.release()
    stage.until(lambda: all(job_of(stage, one).get("state") in OVER for one in scene.asked.values()), SOON)
    return scene


def swept(stage: Stage) -> Scene:
    """The scheduler's clock is put ahead, so that it takes whatever is left for older than an hour."""
    scene = stage.played(killed)
    for _ in range(SWEEPS):
        with skewed(stage.stack.runner, "scheduler", LATER) as done:
            if not done:
                raise Unknown("the scheduler was to run with its clock ahead, and did not")
            scene.mark(f"the scheduler runs with its clock {LATER / 3600:g} h ahead, and sweeps")
            stage.until(lambda: talks(stage, "scheduler"), STALL)  # until it has read its libraries
            if stage.until(lambda: not any(left(stage)), SWEEP):
                break
    return scene


def left(stage: Stage) -> tuple[list[str], list[str]]:
    """The keys of objects that no report points at, and of uploads that were begun and not finished."""
    pointed = stage.value("SELECT coalesce(array_agg(artifact_key), '{}') FROM reports WHERE artifact_key IS NOT NULL")
    return [key for key in stage.store.objects() if key not in pointed], stage.store.uploads()
