"""What is done to the tree in exercise 1 besides single requests: one held up in the database, and many at once."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from bad_input import REPORT

from accepted.grade.evidence import Moment
from accepted.grade.stage import STALL, Answer, Stage
from accepted.grade.verdict import Unknown
from billing.seed import PERIOD

BURST, SIDE_BY_SIDE, ROUNDS = 32, 8, 4


def in_flight(stage: Stage, key: str) -> tuple[Moment, Answer, Answer]:
    """Two requests with one key: the first is held up while the second is there."""
    with ThreadPoolExecutor(1) as pool, psycopg.connect(stage.stack.addresses.database) as lock:
        lock.execute("LOCK TABLE jobs IN SHARE MODE")  # what reads goes on; who writes a job waits, with all it holds
        held = Moment(time.time(), "writes to the table jobs are held up by the grader's lock")
        first = pool.submit(stage.ask, "POST", "/v1/reports", REPORT, key=key, seconds=30)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'jobs'::regclass"
        if not stage.until(lambda: first.done() or stage.value(waits) > 0, STALL) or first.done():
            raise Unknown("the first request was to wait for the table jobs, and did not")
        second = stage.ask("POST", "/v1/reports", REPORT, key=key, seconds=3.0)
        lock.rollback()
        return held, first.result(), second


@dataclass
class Burst:
    """The quickest 95th percentiles, in ms: of exports, and of what does nothing. `posts` are the last round's."""

    took: float = math.inf
    base: float = math.inf
    posts: list[Answer] = field(default_factory=list)

    @property
    def limit(self) -> float:
        return max(400.0, 12 * self.base)

    @property
    def too_slow(self) -> bool:
        return self.took > self.limit

    @property
    def wrong(self) -> list[Answer]:
        return [answer for answer in self.posts if answer.status != 202]


def quickest(stage: Stage) -> Burst:
    """Rounds until one is good: a hiccup of the machine slows one down, a tree that queues its users up all of them."""
    ask: dict[str, Any] = {"method": "POST", "path": "/v1/reports", "body": {**REPORT, "to": f"{PERIOD[1]}"}}
    nothing: dict[str, Any] = {"method": "GET", "path": "/session"}
    ask["seconds"] = nothing["seconds"] = 20.0
    stage.at_once([nothing, ask] * SIDE_BY_SIDE, SIDE_BY_SIDE)  # connections, and whatever is made on first use
    found = Burst()
    for _ in range(ROUNDS):
        found.base = min(found.base, _p95(stage.at_once([nothing] * BURST, SIDE_BY_SIDE)))
        found.posts = stage.at_once([ask] * BURST, SIDE_BY_SIDE)
        if any(answer.status for answer in found.wrong):
            break  # a refusal is the tree's word, and no hiccup
        if not found.wrong:
            found.took = min(found.took, _p95(found.posts))
            if not found.too_slow:
                break
    return found


def _p95(answers: list[Answer]) -> float:
    return sorted(answer.ms for answer in answers)[int(0.95 * len(answers)) - 1]
