"""The scenes of exercise 5 in which workers die, or stand still for a while."""

import math
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
from asking import OVER, Asked, email, invoices, payout, report
from play import SOON, WORKERS, works

from accepted.faults.store import Call
from accepted.grade.evidence import Moment
from accepted.grade.stage import STALL, Stage
from accepted.grade.verdict import Unknown
from accepted.stack import processes

LEASE, MAX_CRASHES = 1.5, 2  # as exercise.toml sets them
TAKEN_OVER = 10.0  # s in which another worker has to take over from a frozen one, whose lease is over after 1.5
ANSWERED = 5.0  # s in which the first one, awake, has to have its answer
MOST = 12.0  # s in which the first worker could write: the second one's client gives up after 30 s
WRITES = ("begin", "part", "complete")


@dataclass
class Frozen:
    """A report at which one worker was frozen, until another had taken it over."""

    job: Asked = field(init=False)
    first: Call | None = None
    second: Call | None = None
    why_not: str = ""
    ended_by_first: bool = False
    state: str = ""
    marks: list[Moment] = field(default_factory=list)


@dataclass
class Killed:
    """`struck`: when a worker was killed, by the seq of the call at which it was."""

    once: Asked
    poison: Asked
    struck: dict[int, float] = field(default_factory=dict)
    allowed: float = 0.0
    marks: list[Moment] = field(default_factory=list)

    def kills(self, calls: list[dict[str, Any]]) -> list[float]:
        return [self.struck[one["seq"]] for one in calls if one["seq"] in self.struck]


def dying(stage: Stage) -> tuple[Killed, Frozen]:
    """Both scenes at once: each waits for a lease most of the time."""
    stage.played(works)
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(frozen, stage)
        return killed(stage), beside.result()


def killed(stage: Stage) -> Killed:
    """Two jobs whose call hangs; its worker is killed. One of them hangs each time that it is tried."""
    usual = warm(stage)
    invoice = invoices(stage, 12)[11]
    stage.play(
        {"match": {"op": "charge", "key": f"*:payout:poison-{stage.seed}:*"}, "calls": "1-4", "do": {"hang": True}},
        {"match": {"op": "email", "key": f"*:email:{invoice}:*"}, "calls": "1", "do": {"hang": True}},
    )
    scene = Killed(email(stage, invoice), payout(stage, "poison"))
    scene.allowed = 2 * LEASE + 2 + 3 * usual
    both = (scene.once, scene.poison)
    moved = time.monotonic()

    def over() -> bool:
        nonlocal moved
        calls = [one.calls(stage) for one in both]
        for call in (call for each in calls for call in each[:4]):
            if "ended" not in call and call["seq"] not in scene.struck and hangs(call, calls):
                strike(stage, scene, call)
                moved = time.monotonic()
        if all(stage.state(one.job) in OVER for one in both) or len(scene.kills(calls[1])) > MAX_CRASHES:
            return True
        return time.monotonic() > moved + scene.allowed + STALL / 2  # too late, also for a stall

    processes.until(over, SOON * 3, pause=0.05)
    stage.play()
    if not scene.kills(scene.once.calls(stage)):
        raise Unknown("a worker was to be killed while its call hangs, and no call hung")
    return scene


def warm(stage: Stage) -> float:
    """Seconds that a payout takes now. The first after the boot waits for its workers to start."""
    began = time.monotonic()
    one = payout(stage, "probe")
    if not stage.until(lambda: stage.state(one.job) in OVER, SOON):
        raise Unknown(f"a payout, nothing going wrong, was not over within {SOON:g} s: the machine may be too busy")
    return time.monotonic() - began


def hangs(call: dict[str, Any], calls: list[list[dict[str, Any]]]) -> bool:
    """Whether the fault is upon it: all of the poison's, the first of the other one's."""
    return call in calls[1] or call == calls[0][0]


def strike(stage: Stage, scene: Killed, call: dict[str, Any]) -> None:
    """SIGKILL to the process that made the call."""
    process = worker(stage, str(call.get("worker") or ""))
    scene.struck[call["seq"]] = time.time()
    scene.marks.append(Moment(time.time(), f"SIGKILL to worker {process.pid}: its call for {call['key']} hangs"))
    process.send_signal(signal.SIGKILL)
    if not processes.until(lambda: processes.gone(process), 5):
        raise Unknown(f"worker {process.pid} was to die, and did not")


def worker(stage: Stage, name: str) -> psutil.Process:
    """Which process goes by that name, HOST:PID. Raises Unknown where none of the workers' does."""
    pid = name.rpartition(":")[2]
    leaders = {psutil.Process(one) for pool in WORKERS for one in stage.stack.runner.pids(pool)}
    for process in processes.tree(leaders):
        if str(process.pid) == pid:
            return process
    raise Unknown(f"a worker calls itself {name or 'nothing'} (X-Worker; jobs.worker), and no worker process does")


def frozen(stage: Stage) -> Frozen:
    """A worker's call to the object store is held; it is frozen; another takes over, and is held as well; the first
    wakes, and has its answer."""
    scene = Frozen()
    stopped: list[psutil.Process] = []

    def rule(call: Call) -> float:
        if call.op not in WRITES or call.held:
            return 0.0
        if scene.first is None:
            scene.first = call
            return math.inf
        if stopped and scene.second is None:
            scene.second = call
            return math.inf
        return 0.0

    stage.store.rule = rule
    scene.job = report(stage)
    try:
        _freeze(stage, scene, stopped)
    except Unknown as unknown:
        scene.why_not = str(unknown)
    finally:
        for process in stopped:
            if process.is_running():
                process.resume()
        stage.store.release()
    stage.until(lambda: stage.state(scene.job.job) in OVER, SOON)
    scene.state = stage.state(scene.job.job)
    return scene


def _freeze(stage: Stage, scene: Frozen, stopped: list[psutil.Process]) -> None:
    if not stage.until(lambda: scene.first is not None and bool(scene.first.held), SOON) or not (first := scene.first):
        raise Unknown("a report was to be written to the object store, and was not")
    process = worker(stage, str(stage.value("SELECT worker FROM jobs WHERE id = %s", scene.job.job) or ""))
    processes.freeze([process])
    stopped.append(process)
    scene.marks.append(Moment(time.time(), f"worker {process.pid} is frozen, in the middle of a report"))
    if not stage.until(lambda: scene.second is not None or first_over(scene), TAKEN_OVER):
        raise Unknown("no other worker took the report over")
    if first_over(scene):
        raise Unknown("the store was to hold the frozen worker's answer until another had taken over")
    scene.marks.append(Moment(time.time(), "another worker has taken it over; the frozen one wakes"))
    process.resume()
    first.released = True
    if not stage.until(lambda: first_over(scene), ANSWERED):
        raise Unknown("the worker that was frozen and woken was to have its answer from the store, and had none")
    # And now as long as it likes to do the rest of its work.
    scene.ended_by_first = stage.until(
        lambda: stage.state(scene.job.job) in OVER, min(2 + 5 * stage.played(works)[1], MOST)
    )
    what = "the job's end is recorded" if scene.ended_by_first else "the job goes on"
    mark = "by a worker that had lost it" if scene.ended_by_first else ""
    scene.marks.append(Moment(time.time(), f"the first worker has its answer; the second is held still; {what}", mark))


def first_over(scene: Frozen) -> bool:
    return scene.first is not None and scene.first.ended is not None
