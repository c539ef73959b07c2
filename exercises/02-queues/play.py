"""What is done to the tree in exercise 2: its workers are let at the messages, and at a flood."""

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asking import OVER, REPORT, WORKERS, Asked, change, listeners, of, refused, seen
from reading import layers

from accepted.grade import messages
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Unknown

SOON = 60.0  # s in which four jobs have to be over
FLOOD, SIDE_BY_SIDE = 80, 8
SLOW = 0.1  # s that every piece to and from the object store takes longer; a report has six or more
SLOW_HOOK = 3.0  # s: long enough for a look on a machine that stalls, and less than PARTNER_TIMEOUT, which is 5
SLO = 5.0  # s between a change of an invoice and its webhook
LOOKS = 6  # at messages that wait: RabbitMQ counts them, and gives up a message at ten
HEARS = 2  # subscribers that hear of the change during the flood
_DONE = "SELECT count(*) FROM jobs WHERE kind = 'report.export' AND finished_at > to_timestamp(%s)"


@dataclass
class Worked:
    """`children`: messages that the fan-out published, as they lay on the broker. `looks`: how often was looked.
    `forged`: what the grader put there itself."""

    pickles: Path
    asked: list[Asked]
    looks: int = 0
    forged: bytes = b""
    children: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    marks: list[Moment] = field(default_factory=list)


@dataclass
class Flooded:
    """`ended`: reports that ended between the change and its last webhook, or until that was given up."""

    change: Answer
    began: float
    arrived: list[float] = field(default_factory=list)
    ended: int = 0
    left: int = 0
    over: float = 0.0
    marks: list[Moment] = field(default_factory=list)

    @property
    def lag(self) -> float:
        return self.over - self.change.at


class Tripwire:
    """Pickled, it is a program: whoever unpickles it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def worked(stage: Stage) -> Worked:
    """The workers start, find the four messages and two pickles among them; the first webhooks take three seconds, so
    that the others wait where they can be read."""
    before, raw = stage.played(seen), of(stage)
    done = Worked(stage.stack.folder.path / "unpickled", list(before.asked.values()))
    stage.play({"match": {"op": "hook"}, "calls": "1-3", "do": {"delay": SLOW_HOOK}})
    sample = before.asked["payouts"].message
    if sample is not None:
        done.forged = pickle.dumps(Tripwire(done.pickles))
        for kind in ("application/x-python-serialize", "application/json"):
            raw.put(raw.forged(sample, done.forged, kind))
        done.marks.append(Moment(time.time(), f"two pickles are put into {sample.queue}, by somebody else"))
    other = "SELECT max(id) FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR'"
    body = stage.payout(f"behind-{stage.seed}", stage.value(other, TENANT))
    behind = Asked("payouts", stage.asked("POST", "/v1/payouts", body, key=f"behind-{stage.seed}", seconds=20))
    if not behind.job:
        raise refused(behind.answer)
    done.asked.append(behind)
    for name in WORKERS:
        stage.stack.runner.start(name)
    done.marks.append(Moment(time.time(), "the workers start"))
    stage.until(lambda: _children_seen(stage, raw, done), SOON)
    stage.until(lambda: all(stage.state(one.job) in OVER for one in done.asked), SOON)
    stage.until(lambda: not any(raw.lengths().values()), 10)
    stage.play()
    return done


def _children_seen(stage: Stage, raw: messages.Messages, done: Worked) -> bool:
    """Looks once a delivery is under way, and some times more as long as no other waits."""
    ledger = stage.ledger(kind="webhook")
    if not ledger["calls"]:
        return False
    unread = [one.job.encode() for one in done.asked if one.message is None]
    known = {done.forged, *(one.parts.get("body") for one in done.asked)}  # a slow worker leaves ours lying, too
    for queue in [queue for queue, length in raw.lengths().items() if length]:
        for parts in map(raw.parts, raw.waiting(queue)):
            if parts["body"] not in known and not _is_of(parts, unread):
                done.children.append((queue, parts))
    done.looks += 1
    return bool(done.children) or done.looks >= LOOKS


def _is_of(parts: dict[str, bytes], jobs: list[bytes]) -> bool:
    """Whether it is the message of one of these, which were asked for and not read."""
    return any(job in layer for part in parts.values() for layer in layers(part) for job in jobs)


def flooded(stage: Stage) -> Flooded:
    """Reports without end, to a slow object store; among them somebody changes an invoice."""
    listeners(stage, HEARS)
    began = time.time()
    lift = stage.proxies.slow_down(SLOW, service="store")
    try:
        request = {"method": "POST", "path": "/v1/reports", "body": REPORT, "seconds": 60.0}
        posted = stage.at_once([request] * FLOOD, SIDE_BY_SIDE)
        posted = [stage.asked(**request) if answer.status >= 500 else answer for answer in posted]
        if odd := [answer for answer in posted if answer.status != 202]:
            raise refused(odd[0])
        marks = [Moment(time.time(), f"{FLOOD} reports are accepted; the object store is slow")]
        stage.until(lambda: _ended(stage, began) > 2, SOON)
        seq = stage.seq()
        done = Flooded(stage.asked(**change(stage, 3), seconds=20), began, marks=marks)
        done.left = FLOOD - _ended(stage, began)
        if done.change.status != 202:
            raise refused(done.change)
        if done.left < FLOOD * 2 / 3:
            raise Unknown(f"{FLOOD} reports were to be under way, and {FLOOD - done.left} had ended already")
        stage.until(lambda: _heard(stage, done, seq), 180)
    finally:
        lift()
    return done


def _heard(stage: Stage, done: Flooded, seq: int) -> bool:
    """Whether the change has arrived everywhere, or its lag is too long beyond doubt."""
    done.arrived = sorted(one["at"] for one in stage.ledger(kind="webhook", after=seq)["effects"])
    heard = len(done.arrived) >= HEARS
    done.over = done.arrived[-1] if heard else time.time()
    done.ended = _ended(stage, done.change.at) - (_ended(stage, done.over) if heard else 0)
    return heard or too_late(done)


def too_late(done: Flooded) -> bool:
    """A slow machine is no excuse for a webhook that waits behind reports, and none is blamed on the tree."""
    return done.lag > SLO and done.ended >= FLOOD / 2


def _ended(stage: Stage, since: float) -> int:
    return int(stage.value(_DONE, since))
