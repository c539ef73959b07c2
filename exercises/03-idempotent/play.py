"""What is done to the tree in exercise 3: messages copied on the broker, and workers killed in the middle of a call."""

import time
from dataclasses import dataclass, field

from asking import Asked, email, payout

from accepted.faults.strike import kill_now
from accepted.grade import messages
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown

COPIES = 20
SOON = 90.0  # s in which a job has to be over, retries and all, also where it has a tenth of a laptop
HANG = 90.0  # s in which two calls hang, workers' start and all
OVER = ("succeeded", "failed")
SLOW = {"delay": 0.7}  # s: long enough for all workers to be at the same thing


@dataclass
class Scene:
    """What was asked for, and what the grader did when."""

    asked: dict[str, Asked] = field(default_factory=dict)
    marks: list[Moment] = field(default_factory=list)

    def mark(self, what: str) -> None:
        self.marks.append(Moment(time.time(), what))


def moved(stage: Stage) -> str:
    """The address to which a customer moves while its mail waits."""
    return f"moved-{stage.seed}@example.com"


def copies_played(stage: Stage) -> Scene:
    """Four messages wait while no worker runs; two are copied, one is copied and fails once, one grows old."""
    scene, raw = Scene(), of(stage)
    workers_stop(stage, raw)
    # Copies lie side by side, the mail's behind the payout's: by then all the workers are awake.
    asked = scene.asked
    asked["payout"] = copied(payout(stage, "copies", raw), raw, COPIES)
    asked["email"] = copied(email(stage, 2, raw), raw, COPIES)
    asked["rollback"] = copied(payout(stage, "rollback", raw), raw, 2)
    asked["fresh"] = copied(email(stage, 3, raw), raw, 1)
    refused = {"match": {"op": "charge", "key": asked["rollback"].key}, "calls": [1]}
    stage.play(
        {**refused, "do": {**SLOW, "status": 503}},
        {"match": {"op": "charge"}, "do": SLOW},
        {"match": {"op": "email"}, "do": SLOW},
    )
    stage.value("UPDATE customers SET email = %s WHERE email = %s RETURNING 1", moved(stage), asked["fresh"].target)
    scene.mark(f"{sum(raw.lengths().values())} messages wait; worker-io starts, with four slots")
    stage.stack.runner.start("worker-io")
    stage.until(lambda: idle(raw) and all_over(stage, scene), SOON)
    workers_stop(stage, raw)  # who has taken a copy finishes it before it goes
    stage.play()
    return scene


def killed(stage: Stage) -> Scene:
    """Two calls to the provider hang, one after its effect, one before; the workers die; both messages come again."""
    stage.played(copies_played)  # it leaves the workers stopped
    scene, raw = Scene(), of(stage)
    two = [payout(stage, "killed-1", raw), payout(stage, "killed-2", raw)]
    seq = stage.seq()
    stage.play(
        {"match": {"op": "charge"}, "calls": [1], "do": {"accept_then_hang": True}},
        {"match": {"op": "charge"}, "calls": [2], "do": {"hang": True}},
    )
    stage.stack.runner.start("worker-io")

    def both_hang() -> bool:
        ledger = stage.ledger(kind="charge", after=seq)
        return sum("ended" not in call for call in ledger["calls"]) >= 2 and bool(ledger["effects"])

    if not stage.until(both_hang, HANG):
        raise Unknown("two calls to the provider were to hang at the same time, and did not")
    # While both hang nothing of theirs can change: what is seen now is what stands when the workers die.
    two.sort(key=lambda one: not one.effects(stage))
    if [len(one.effects(stage)) for one in two] != [1, 0]:
        raise Unknown("one call was to have its effect and the other not, when the workers were to die")
    runner = stage.stack.runner
    done = departed(runner, ["worker-io"], raw, lambda: kill_now(runner, "worker-io", "tree", time.time()))
    if not done.dead or not done.pids:
        raise Unknown("the workers were to die, and did not")
    scene.mark(f"SIGKILL to worker-io ({', '.join(map(str, done.pids))}): both calls hang")
    scene.asked = dict(zip(("after", "before"), two, strict=True))
    stage.play()
    for one in two:
        raw.put(message_of(one))
    scene.mark("both messages are delivered again")
    stage.until(lambda: all_over(stage, scene), SOON)
    return scene


def copied(one: Asked, raw: messages.Messages, copies: int) -> Asked:
    """So many of its message wait afterwards."""
    raw.put(message_of(one), copies - 1)
    return one


def workers_stop(stage: Stage, raw: messages.Messages) -> None:
    stage.until(lambda: idle(raw), SOON)
    runner = stage.stack.runner
    departed(runner, ["worker-io"], raw, lambda: runner.stop("worker-io", grace=10))


def all_over(stage: Stage, scene: Scene) -> bool:
    return all(stage.state(one.job) in OVER for one in scene.asked.values())


def idle(raw: messages.Messages) -> bool:
    return not any(raw.lengths().values())


def of(stage: Stage) -> messages.Messages:
    return messages.of(stage.stack.addresses.broker, stage.backend)


def message_of(one: Asked) -> messages.Message:
    if one.message is None:
        raise Unknown(f"no message of {one.key} was seen on the broker within 30 s, with no worker running")
    return one.message
