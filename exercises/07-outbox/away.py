"""The last scenes of exercise 7: the broker hangs, dies and comes back with nothing on it; and another lost message."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from asking import Asked, Scene, change, email, is_of, patience, payout
from play import killed_relays, stop_workers, take_away, waits
from points import let_pass
from scenes import Outage

from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Unknown
from accepted.stack.errors import Problem

FIRST = 2.5  # s that the first of the ordered payouts takes
AWAY = 5.0  # s in which a user is answered while the broker is away
TRIED = 1.5  # s for which it stays away then: relays come to what was accepted, and find no one to take it


class Breakable(Protocol):
    """The broker's server."""

    def freeze(self) -> None: ...
    def kill(self) -> None: ...
    def wipe(self) -> None: ...


def outage(stage: Stage) -> Outage:
    """The broker hangs, and a web process is killed once its request is committed; the broker dies; requests come; it
    comes back with nothing on it; the workers start."""
    stage.played(waits)
    scene, broker = Outage(), _broker(stage)
    try:
        broker.freeze()
    except Problem as problem:  # a server that is not ours
        raise Unknown(f"the broker was to hang: {problem}") from problem
    scene.mark("the broker is frozen: it takes connections, and answers nothing")
    _catch(stage, scene)
    broker.kill()
    scene.mark("the broker is killed")
    stage.until(lambda: stage.ask("GET", "/session", seconds=2).status == 200, patience(stage) * 2)
    scene.add(payout(stage, "away", 3, seconds=AWAY))
    scene.add(email(stage, 40, seconds=AWAY))
    scene.add(email(stage, 41, seconds=AWAY))
    let_pass(TRIED)
    broker.wipe()
    scene.mark("the broker is back, with nothing on it; worker-io starts")
    first = f"{TENANT}:payout:order-0-{stage.seed}:1"
    stage.play({"match": {"op": "charge", "key": first}, "calls": [1], "do": {"delay": FIRST}})
    stage.stack.runner.start("worker-io")
    scene.due = time.monotonic() + patience(stage)
    carried = stage.played(killed_relays).asked
    if not all(one.accepted for one in scene.asked) or any(stage.state(one.job) != "succeeded" for one in carried):
        return scene  # a check has failed without which nothing that comes now is judged
    # While it is under way, somebody else gets something to do: else it says nothing that the others came later.
    if stage.until(lambda: any(is_of(first, call) for call in stage.ledger(op="charge")["calls"]), patience(stage)):
        email(stage, 42)
    return scene


def _catch(stage: Stage, scene: Outage) -> None:
    """SIGKILL to web as soon as the row of the request at hand is committed."""
    reference = f"caught-{stage.seed}"
    committed = "SELECT count(*) FROM payouts WHERE reference = %s"
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(payout, stage, "caught", 1, 8.0)
        there = stage.until(lambda: bool(stage.value(committed, reference)), 5)
        scene.hung = not asked.done()
        pids = stage.stack.runner.kill("web")
        scene.mark(f"SIGKILL to web ({', '.join(map(str, sorted(pids)))})" + (": the payout is committed" * there))
        one = asked.result()
    if there:
        job = stage.value("SELECT id::text FROM jobs WHERE natural_key = %s", one.key)
        scene.caught = Asked(one.kind, one.key, one.answer, str(job or ""))
        scene.marks.append(one.answer.moment())


def lose_another(stage: Stage) -> tuple[Asked, Scene]:
    """Again a queue's one message is lost, and this time the workers start."""
    stage.played(outage)
    scene = Scene()
    stop_workers(stage)
    one = scene.add(change(stage, 1))
    queue = take_away(stage, one)
    if not queue:
        raise Unknown(f"no message of {one.key} was seen on the broker, with no worker running")
    scene.mark(f"the message of {one.key} is gone from {queue}; worker-io starts")
    stage.stack.runner.start("worker-io")
    return one, scene


def _broker(stage: Stage) -> Breakable:
    found: Breakable = stage.stack.rabbitmq or stage.stack.redis
    return found
