"""What is done to the tree in exercise 6: calls to the object store that hang or are slow, and workers killed."""

import math
import time
from dataclasses import dataclass, field

import psycopg
from exports import OVER, Export, ask, export, late_invoice, month, piece, write

from accepted.faults.store import Call
from accepted.faults.strike import Struck, kill_now
from accepted.grade import messages
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown

BOX = 3.4  # s: TIME_BOX, as exercise.toml has it
LATE = 15.0  # s after the box's end in which a call has to be let go of; a machine may stall
SLOW = 1.8  # s: a little more than half of the box. So old is a run when the slow export's part is stored
BUSY = 30.0  # s to start what a laptop starts in five: there a box is over before anything is done in it
SOON = 120.0  # s in which everything has to be over, also where it has a tenth of a laptop
SHOWN = 0.8  # s for which a part's second try is held back, so that whoever polls sees the percent meanwhile
_RUN = """
SELECT jobs.started_at, extract(epoch FROM clock_timestamp() - jobs.started_at)::float8
FROM jobs JOIN reports r ON r.id = CAST(jobs.args ->> 'report_id' AS uuid) WHERE r.period_from = %s
"""


def booted(stage: Stage) -> float:
    """Seconds that it took."""
    return stage.boot(held_store=True)


@dataclass
class Scene:
    """What was asked for, what the grader did, and what a user saw who polled."""

    stage: Stage
    asked: dict[str, Export] = field(default_factory=dict)
    marks: list[Moment] = field(default_factory=list)
    percents: list[tuple[float, int]] = field(default_factory=list)  # (when, percent) of the export `parts`
    killing: bool = True
    hung: Call | None = None  # the call that hangs once
    late: bool = False  # a box was over before the kill: attempts were used up for nothing
    again: bool = False  # the part in which a worker was killed has been stored anew
    runs: list[object] = field(default_factory=list)  # when the run began in which each part of `slow` was stored

    def mark(self, what: str, mark: str = "") -> None:
        self.marks.append(Moment(time.time(), what, mark))

    def holds(self, call: Call) -> float:
        """The store's rule."""
        if call.op != "part":
            return math.inf if self.killing and self.finishes(call) else 0.0
        which = piece(call)
        if which in (("query", 1), ("parts", 2)) and self.killing:
            return math.inf
        if which == ("parts", 2) and not self.again:
            self.again = True
            return SHOWN
        if which == ("hung", 2) and self.hung is None:
            self.hung = call
            return math.inf
        return self.slowly() if which is not None and which[0] == "slow" else 0.0

    def slowly(self) -> float:
        """A run's first part ends a little after half of its box; who begins another in the same run waits as long."""
        began, age = _run(self.stage)
        first = not self.runs or self.runs[-1] != began
        self.runs.append(began)
        return max(SLOW - float(age), 0.01) if first else SLOW

    def finishes(self, call: Call) -> bool:
        """Whether it is the first thing done for the export `upload` when all its parts are stored."""
        if "upload" not in self.asked:
            return False
        stored = self.asked["upload"].stored(self.stage)
        if {piece(one) for one in stored} != {("upload", 1), ("upload", 2)}:
            return False
        if call.op == "complete":
            return len({one.number for one in stored if one.upload == call.upload}) == 2
        if call.op in ("get", "stat"):
            return call.key in {one.key for one in stored}
        return call.op == "begin" and all(one.key.startswith(call.key) for one in stored)

    def watch(self) -> None:
        """One look at the percent, as a user who polls."""
        answer = self.stage.ask("GET", f"/jobs/{self.asked['parts'].job}")
        job = answer.body.get("job") if isinstance(answer.body, dict) else None
        if answer.status == 200 and isinstance(job, dict) and isinstance(job.get("percent"), int):
            self.percents.append((answer.at, job["percent"]))


def played(stage: Stage) -> Scene:
    """Three exports stand at three edges between steps; one SIGKILL for all of them. While they come back, one export's
    call to the store hangs, and another's parts are slow."""
    scene = Scene(stage)
    stage.store.rule = scene.holds
    for name in ("slow", "hung"):  # before there is a percent to look at: it may fall as soon as the workers are back
        write(stage, name)
    for name in ("upload", "parts", "query"):  # who is there soonest comes last: the time box runs while they stand
        scene.asked[name] = export(stage, name)
        stage.until(lambda: name == "upload" or _stand(stage) > 0, 10)  # noqa: B023
    if not stage.until(lambda: _stand(stage) >= 3, SOON):
        raise Unknown(f"three exports were to stand at an edge at the same time; {_stand(stage)} did")
    scene.watch()
    scene.mark("the store answers nobody: one export has made its query, one its first part, one all its parts")
    runner = stage.stack.runner
    raw = messages.of(stage.stack.addresses.broker, stage.backend)

    def kill() -> Struck:
        scene.late = any(call.left is not None for call in list(stage.store.calls))
        return kill_now(runner, "worker-cpu", "tree", time.time())

    done = departed(runner, ["worker-cpu"], raw, kill)
    if not done.dead or not done.pids:
        raise Unknown("the workers were to die, and did not")
    scene.mark(f"SIGKILL to worker-cpu ({', '.join(map(str, done.pids))})", "the kill")
    late_invoice(stage, "query")
    scene.killing = False
    for name in ("slow", "hung"):
        scene.asked[name] = ask(stage, name)
    give_up = time.monotonic() + SOON

    def seen() -> bool:
        scene.watch()
        if scene.hung is not None and scene.hung.left is not None:
            return _over(stage, scene)
        return scene.hung is not None and time.time() > scene.hung.at + BOX + LATE

    stage.until(seen, SOON)
    stage.store.release()
    stage.until(lambda: _over(stage, scene), give_up - time.monotonic())
    return scene


def _run(stage: Stage) -> tuple[object, float]:
    """When the slow export's present run began, and for how many seconds it goes on."""
    with psycopg.connect(stage.stack.addresses.database, connect_timeout=20) as c:
        return c.execute(_RUN, (month("slow")[0],)).fetchone() or (None, 0.0)


def _stand(stage: Stage) -> int:
    """Exports, not calls: where a lease ends for lack of time, two runs stand at the same one."""
    return len({(piece(call) or ("upload", 0))[0] for call in stage.store.held()})


def _over(stage: Stage, scene: Scene) -> bool:
    return all(stage.state(one.job) in OVER for one in scene.asked.values())
