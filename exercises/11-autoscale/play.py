"""The scenes of exercise 11 with real workers: a burst and the way home, an autoscaler told to stop, one killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psutil

from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Broken, Unknown
from accepted.scaling.outside import Watch
from accepted.stack import processes

AGE, COOLDOWN, STEP, FLOOR, CAP = 2.0, 3.0, 0.5, 1, 5  # as exercise.toml sets them
TAKES, MANY = 0.5, 90  # s that the provider takes for an e-mail of the burst, and how many there are
SLACK = 1.4  # of what they take at the cap: two workers need 2.5 of it
LONG, FEW = 3.0, 6  # the same of those at which an autoscaler ends
SLOWEST = 120.0  # s that a worker may take to begin, on a machine that has other work
TOO_SLOW = 20.0  # s of it after which nothing can be said about who is late
STILL = 20.0  # s, and four times as long as a worker takes to begin, in which nobody goes: nobody will
OVER = ("succeeded", "failed")


@dataclass
class Burst:
    """Times are epoch seconds. `asked`: when all were accepted. `ages`: how long the oldest e-mail had waited. `boot`:
    from the first replica that was seen to its first call. `busy_until`: when one last waited."""

    began: float
    asked: float = 0.0
    ages: list[tuple[float, float]] = field(default_factory=list)
    back: float | None = None
    boot: float = 0.0
    takes: float = TAKES
    busy_until: float = 0.0
    home: float | None = None
    jobs: list[tuple[float, float]] = field(default_factory=list)  # (s since the first came, s that it took)

    @property
    def allowed(self) -> float:
        """Seconds: until there is help, and then SLACK times as long as all of it takes at the cap."""
        return self.asked - self.began + AGE + self.boot + SLACK * MANY * self.takes / CAP + 2


@dataclass
class Ended:
    """An autoscaler's end. `workers`: its own at that moment. `since`: seq of the ledger before the jobs."""

    at: float
    since: int
    workers: set[psutil.Process]
    jobs: list[str]
    gone: bool
    again: list[str]  # jobs that were begun more than once
    calls: list[dict[str, Any]]
    marks: list[Moment]


def watch(stage: Stage) -> Watch:
    """Counts from the first time on that somebody asks, to the end of the grading."""
    watching = Watch(lambda: stage.stack.runner)
    watching.__enter__()
    return watching


def invoices(stage: Stage) -> list[int]:
    """Open ones, each of which may be mailed once."""
    found = stage.value(
        "SELECT array_agg(id ORDER BY id) FROM invoices WHERE tenant_id = %s AND status = 'open'", TENANT
    )
    wanted = 1 + MANY + 4 * FEW
    if len(found) < wanted:
        raise Unknown(f"{wanted} open invoices were to be there, and there are {len(found)}")
    return list(map(int, found))


def mailed(stage: Stage, ids: list[int]) -> list[str]:
    """Asks for an e-mail of each; the jobs."""
    asked = [{"method": "POST", "path": f"/v1/invoices/{one}/email", "body": {}, "seconds": 30.0} for one in ids]
    answers = stage.at_once(asked, 8)
    if bad := next((one for one in answers if one.status != 202 or not one.job), None):
        if bad.status in (0, 503):  # a machine on which Postgres answers nobody in time
            raise Unknown(f"{bad.request} was answered with {bad}")
        raise _refused(bad)
    return [str(one.job) for one in answers]


def _refused(answer: Answer) -> Broken:
    return Broken(
        stimulus=answer.request, rule="What can be done is accepted with 202.", evidence=[answer.moment()],
        difference=f"expected 202, found {answer}: {answer.text[:150]}", costs="Nothing can be asked for.",
        look="exercise 1",
    )  # fmt: skip


def works(stage: Stage) -> tuple[str, float]:
    began = time.monotonic()
    [job] = mailed(stage, stage.played(invoices)[:1])
    stage.until(lambda: stage.state(job) in OVER, SLOWEST)
    return job, time.monotonic() - began


OLDEST = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(accepted_at)), 0)::float8 FROM jobs
WHERE kind = 'email.send' AND state IN ('queued', 'retrying')
"""
LEFT = "SELECT count(*) FROM jobs WHERE kind = 'email.send' AND state NOT IN ('succeeded', 'failed')"
QUEUED = "SELECT count(*) FROM jobs WHERE kind = 'email.send' AND state = 'queued'"
RUNNING = "SELECT count(*) FROM jobs WHERE kind = 'email.send' AND state = 'running'"
AGAIN = "SELECT array_agg(id::text) FROM jobs WHERE id = ANY(%s::uuid[]) AND deliveries > 1"
MEAN = """
SELECT avg(extract(epoch FROM finished_at - started_at))::float8 FROM jobs
WHERE kind = 'email.send' AND state = 'succeeded' AND accepted_at > to_timestamp(%s)
"""
RECORDED = """
SELECT jsonb_agg(jsonb_build_array(extract(epoch FROM accepted_at) - %s, extract(epoch FROM finished_at - started_at))
    ORDER BY accepted_at) FROM jobs
WHERE kind = 'email.send' AND state = 'succeeded' AND accepted_at > to_timestamp(%s)
"""


def burst(stage: Stage) -> Burst:
    """Until the age is inside for good, or has not been for longer than is allowed; then home, if it came back."""
    stage.played(works)
    watching = stage.played(watch)
    stage.play({"match": {"op": "email"}, "do": {"delay": TAKES}})
    scene = Burst(time.time())
    mailed(stage, stage.played(invoices)[1 : 1 + MANY])
    scene.asked = time.time()

    def over() -> bool:
        now, age, left = time.time(), float(stage.value(OLDEST)), int(stage.value(LEFT))
        scene.ages.append((now, age))
        if age:
            scene.busy_until = now
        if age > AGE:
            scene.back = None
        elif scene.back is None:
            scene.back = now
        if left == 0:
            return True
        scene.takes = max(TAKES, stage.value(MEAN, scene.began) or 0.0)
        scene.boot = _boot(stage, watching, scene.began)
        return scene.back is None and now > scene.began + scene.allowed

    stage.until(over, 300)
    scene.boot = _boot(stage, watching, scene.began)
    if scene.back is None or scene.back > scene.began + scene.allowed:
        return scene
    scene.jobs = [(float(at), float(took)) for at, took in stage.value(RECORDED, scene.began, scene.began)]
    if _go(stage, lambda: len(watching.alive()), STILL + 4 * scene.boot):
        scene.home = time.time()
    return scene


def _go(stage: Stage, left: Callable[[], int], still: float) -> bool:
    """Whether all of them go; given up when for `still` seconds none has, and no e-mail was at work meanwhile."""
    there, moved = left(), time.monotonic()

    def over() -> bool:
        nonlocal there, moved
        if (now := left()) != there or stage.value(RUNNING):
            there, moved = now, time.monotonic()
        return not there or time.monotonic() - moved > still

    stage.until(over, SLOWEST)
    return not there


def _boot(stage: Stage, watching: Watch, since: float) -> float:
    """Seconds from the first replica to the first call by a worker that is none of the floor's; while there is none, as
    long as it has been waited for."""
    if not watching.known:
        return 0.0
    first = min(watching.known.values())
    floor = {one.pid for one in processes.tree(map(psutil.Process, stage.stack.runner.pids("worker-io")))}
    calls = stage.ledger(op="email")["calls"]
    others = [one["at"] for one in calls if one["at"] > since and _pid(one) not in floor]
    return min(min(others, default=time.time()) - first, SLOWEST)


def _pid(call: dict[str, Any]) -> int:
    worker = str(call.get("worker") or "").rpartition(":")[2]
    return int(worker) if worker.isdigit() else os.getpid()


def told_to_stop(stage: Stage) -> Ended:
    stage.played(burst)
    return _end(stage, signal.SIGTERM)


def killed(stage: Stage) -> Ended:
    stage.played(told_to_stop)
    return _end(stage, signal.SIGKILL)


def spare(stage: Stage) -> Iterator[int]:
    """Invoices that were not mailed yet."""
    return iter(stage.played(invoices)[1 + MANY :])


def _end(stage: Stage, sig: signal.Signals) -> Ended:
    """E-mails that take long; as soon as one of the autoscaler's workers is at work, the autoscaler gets its signal."""
    watching, ids = stage.played(watch), stage.played(spare)
    still = STILL + 4 * stage.played(burst).boot
    stage.until(lambda: stage.value(LEFT) == 0, SLOWEST)
    _go(stage, lambda: len(watching.alive()), still)
    stage.play({"match": {"op": "email"}, "do": {"delay": LONG}})
    since, began = stage.seq(), time.time()
    jobs = mailed(stage, list(islice(ids, FEW)))

    def at_work() -> bool:
        if stage.value(QUEUED) < 2:  # who takes long to begin must find something to do
            jobs.extend(mailed(stage, list(islice(ids, 2))))
        return bool(watching.alive()) and stage.value(RUNNING) > FLOOR

    ready = stage.until(at_work, SLOWEST)
    workers, running = watching.alive(), stage.value(RUNNING)
    if not ready or not workers:
        raise Unknown(f"a worker of the autoscaler's was to be at work within {SLOWEST:g} s, and {running} jobs are")
    at = time.time()
    stage.stack.runner.kill("autoscaler", sig, tree=False)
    gone = _go(stage, lambda: sum(not processes.gone(one) for one in workers), still)
    stage.play()
    # Whoever was killed at work shows when its job was begun again: its lease has to end first.
    if not stage.until(lambda: stage.value(LEFT) == 0, SLOWEST):
        raise Unknown(
            f"{stage.value(LEFT)} e-mails had not come to an end {SLOWEST:g} s after the provider was quick again"
        )
    again = list(stage.value(AGAIN, jobs) or ())
    marks = [
        Moment(began, f"{len(jobs)} e-mails are asked for, each of which takes {LONG:g} s"),
        Moment(at, f"{sig.name} to the autoscaler, which has {len(workers)} workers; {running} jobs are at work"),
    ]
    calls = stage.ledger(op="email", after=since)["calls"]
    return Ended(at, since, workers, jobs, gone, again, calls, marks)


def seen(stage: Stage, since: float, until: float | None = None) -> list[Moment]:
    """How many workers of the autoscaler's there were, each time that it changed."""
    return [Moment(at, f"{n + FLOOR} workers, {n} of them the autoscaler's") for at, n in
            stage.played(watch).changes(since, until)]  # fmt: skip
