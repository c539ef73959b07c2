"""What is done to the tree in exercise 7. Each scene is played once, however many checks judge it, and comes after the
one before: a sunny day, relays killed; then, with no worker running, what waits. The broker's death is in away.py."""

from contextlib import ExitStack

import psycopg
import waiting
from asking import Asked, Scene, booted, change, drained, email, patience, payout
from points import (
    AT_RANDOM,
    IDLE,
    LATEST,
    REACHED,
    RELAYS,
    Killer,
    kill_at_random,
    let_pass,
    of_relay,
    standing_still,
    targets,
)
from scenes import Kills, Waiting, Works

from accepted.grade.departed import departed
from accepted.grade.stage import PATIENCE, Stage
from accepted.grade.talking import talks
from accepted.grade.verdict import Unknown

GHOST = "ghost"  # what references begin with whose transaction is refused as it commits
REFUSE = """
CREATE OR REPLACE FUNCTION grader_refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the grader lets this transaction fail as it commits'; END $$;
CREATE CONSTRAINT TRIGGER grader_refuses AFTER INSERT ON payouts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.reference LIKE 'ghost%') EXECUTE FUNCTION grader_refuses();
"""
RELENT = "DROP FUNCTION grader_refuses CASCADE"
SLOW = 0.2  # s for each piece on the line between relays and broker: both have time to take up the same row
CARRIED = 60.0  # s for four messages on that line: who holds its rows too long begins again, more than once
SETTLED = 7 * SLOW  # s without one more message: while one relay's are there, the other's may still be on the line
ORDERED = 4  # payouts to one account, the first of which takes longest


def works(stage: Stage) -> Works:
    """One payout with nothing going wrong. `idle`: what relays say when there is nothing to do."""
    scene = Works()
    stage.play()
    window = stage.proxies.open()
    stage.until(lambda: bool(of_relay(window.shown())), PATIENCE)  # they may just be starting
    let_pass(IDLE)
    scene.idle = of_relay(window.shown())
    scene.add(payout(stage, "works", 2))
    return scene


def killed_relays(stage: Stage) -> Kills:
    """A mail for each crossing of a relay that carries a message, and SIGKILL when it comes to it."""
    idle = stage.played(works).idle
    scene, numbers = Kills(), iter(range(1, 100))
    window = stage.proxies.open()
    drained(stage, [scene.add(email(stage, next(numbers)))])
    let_pass(min(patience(stage) / 50, 5))  # its relay may still be about to mark the row
    quiet = stage.proxies.open()  # once more: what they said right after the boot may not be all
    let_pass(IDLE)
    found = targets([*idle, *of_relay(quiet.shown())], of_relay(window.shown()))
    reached = min(LATEST, max(REACHED, 4 / 3 * stage.played(booted)))
    for target in found:
        killer = Killer(stage, target)
        scene.add(email(stage, next(numbers)))
        if not killer.wait(reached):
            scene.missed.append(target)
        elif killer.marks:
            scene.killed += 1
            scene.at[target.name] = scene.at.get(target.name, 0) + 1
        scene.marks += killer.marks
    scene.own = not found or found[0].name in scene.at
    for _ in range(0 if found else AT_RANDOM):
        scene.add(email(stage, next(numbers)))
        if moment := kill_at_random(stage):
            scene.killed += 1
            scene.marks.append(moment)
    return scene


def waits(stage: Stage) -> Waiting:
    """A message is lost; a transaction fails as it commits; two relays carry payouts over a slow line. What was lost
    is waited for last."""
    stage.played(killed_relays)
    scene = Waiting()
    stop_workers(stage)
    scene.mark("worker-io is stopped: from now on messages wait")
    _lose_one(stage, scene)
    with psycopg.connect(stage.stack.addresses.database, autocommit=True, connect_timeout=5) as connection:
        connection.execute(REFUSE)
        scene.ghost = payout(stage, f"{GHOST}-1", 1, seconds=PATIENCE)
        connection.execute(RELENT)
    scene.marks.append(scene.ghost.answer.moment("its transaction failed as it committed"))
    if stage.value("SELECT count(*) FROM payouts WHERE reference LIKE %s", f"{GHOST}%"):
        raise Unknown("a payout's transaction was to fail as it commits, and its row is there")
    peek = waiting.Peek(stage)
    scene.beside, scene.messages = _carry(stage, scene, peek, "order", 0)
    lie = ", ".join(f"{many} in {queue}" for queue, many in waiting.lengths(stage).items()) or "none"
    scene.mark(f"messages that wait: {lie}")
    if (lost := scene.lost) and scene.lost_of:
        scene.found_again = stage.until(lambda: peek.queue_of(lost.job) is not None, 4)
    return scene


def _carry(
    stage: Stage, scene: Scene, peek: waiting.Peek, name: str, account: int
) -> tuple[list[Asked], list[set[str]]]:
    """Payouts that both relays find at once, on a slow line; and what each message that waits then names."""
    asked: list[Asked] = []
    # One that was killed is still reading its libraries, and would leave all to the other.
    if stage.played(works).idle:  # who never said a word has nothing to say now
        stage.until(lambda: all(talks(stage, relay) for relay in RELAYS), patience(stage))
    with ExitStack() as done:
        with standing_still(stage, SLOW):
            # Not before: who leads looks at the broker now and then, and would be held up in that, the other one alone.
            done.callback(stage.proxies.slow_down(SLOW, "relay", _service(stage)))
            for number in range(ORDERED):
                asked.append(scene.add(payout(stage, f"{name}-{number}", account)))
        peek.wait([one.job for one in asked if one.job], SETTLED, CARRIED)
    return asked, [waiting.ids(text) for text in peek.texts()]


def carried_again(stage: Stage) -> Waiting:
    """The same once more, to another account, before the workers are back."""
    return _once_more(stage, "again")


def carried_thrice(stage: Stage) -> Waiting:
    """And where the two differed, a third time."""
    return _once_more(stage, "thrice")


def _once_more(stage: Stage, name: str) -> Waiting:
    scene = Waiting()
    scene.beside, scene.messages = _carry(stage, scene, waiting.Peek(stage), name, 4)
    return scene


def stop_workers(stage: Stage) -> None:
    """Once they have nothing to do."""
    stage.until(lambda: not waiting.lengths(stage), patience(stage))
    runner = stage.stack.runner
    departed(runner, ["worker-io"], waiting.of(stage), lambda: runner.stop("worker-io", grace=5))


def _lose_one(stage: Stage, scene: Waiting) -> None:
    """The one message of its queue: as if a worker had taken it and died before it could claim."""
    one = scene.lost = scene.add(change(stage, 0))
    scene.lost_of = take_away(stage, one)
    if scene.lost_of:
        scene.mark(f"the message of {one.key} is gone from {scene.lost_of}")


def take_away(stage: Stage, one: Asked) -> str:
    """The queue that has lost its message; empty where none came."""
    peek = waiting.Peek(stage)
    if not one.job or not stage.until(lambda: peek.queue_of(one.job) is not None, patience(stage)):
        return ""
    queue = peek.queue_of(one.job) or ""
    peek.forget(queue)
    return queue


def _service(stage: Stage) -> str:
    """What the proxies call the broker's line."""
    return "rabbitmq" if stage.stack.addresses.broker.startswith("amqp") else "redis"
