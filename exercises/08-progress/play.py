"""What is done to the tree in exercise 8: a report whose worker is frozen and wakes too late, and a payout whose
transaction stays open while others commit."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
from listening import OVER, SILENCE, Listener, heard_all, listening

from accepted.grade import messages
from accepted.grade.answer import Answer
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, STALL, TENANT, Stage
from accepted.grade.verdict import Broken, Unknown
from billing.seed import PERIOD

PDF = {"format": "pdf", "from": f"{PERIOD[0]}", "to": f"{PERIOD[0] + timedelta(days=270)}"}  # seconds of rendering
HALF = 30  # percent; and it must have told more than one figure by then, so that who begins again tells a lower one
SOON = 150.0  # s in which anything has to be over
STARVED = 250.0  # ms that half of all GETs take on a machine on which leases end for lack of time
HELD = 6.0  # s at most that the payout's transaction is held open: the application's patience with a lock is ten
FIRST, SECOND = "worker-cpu.1", "worker-cpu.2"


@dataclass(frozen=True)
class Look:
    """One GET of the job. `before`: the number of the newest event that the stream had told by then."""

    at: float
    before: int
    answer: Answer

    @property
    def job(self) -> dict[str, Any]:
        found = self.answer.body.get("job") if isinstance(self.answer.body, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def seen(self) -> tuple[str, int]:
        return str(self.job.get("state")), int(self.job.get("percent") or 0)

    @property
    def answered(self) -> bool:
        """Whether it was a view at all: "not now" (503) and silence are none, and for a moment both may be."""
        return self.answer.status not in (0, 503)

    @property
    def seq(self) -> int:
        return int(self.job.get("seq") or 0)

    def moment(self, mark: str = "") -> Moment:
        state, percent = self.seen
        return Moment(self.at, f"GET /jobs/{str(self.job.get('id'))[:8]} → event {self.seq}, {state} {percent} %", mark)


@dataclass
class Day:
    """Who listened to what. `others`: the jobs beside the report; `late`: the one whose transaction stayed open."""

    report: str = ""
    others: list[str] = field(default_factory=list)
    late: str = ""
    late_was_held: bool = False
    frozen_at: tuple[str, int] = ("", 0)  # state and percent
    steady: Listener | None = None
    cut: Listener | None = None
    tenant: Listener | None = None
    tenant_cut: Listener | None = None
    away: Listener | None = None
    stranger: Listener | None = None
    replay: Listener | None = None
    looks: list[Look] = field(default_factory=list)
    marks: list[Moment] = field(default_factory=list)
    over: float = 0.0

    @property
    def views(self) -> list[Look]:
        """The looks that were answered; all of them, where most were not."""
        found = [look for look in self.looks if look.answered]
        return found if 2 * len(found) > len(self.looks) else self.looks

    def mark(self, what: str) -> None:
        self.marks.append(Moment(time.time(), what))


def day(stage: Stage) -> Day:
    """The report's first worker is frozen at half of it; a second one takes over and ends it; the first one wakes."""
    done = Day()
    raw, others = messages.of(stage.stack.addresses.broker, stage.backend), (SECOND, "worker-io")
    departed(stage.stack.runner, others, raw, lambda: stopped(stage, *others))
    done.tenant = listening(stage, "/events", TENANT)
    done.tenant_cut = listening(stage, "/events", TENANT, cut=1)
    done.stranger = listening(stage, "/events", OTHER)
    since = _since(stage)
    done.report = _asked(stage, "POST", "/v1/reports", PDF)
    path = f"/jobs/{done.report}/events"
    done.steady, done.cut = listening(stage, path, TENANT), listening(stage, path, TENANT, cut=1)
    leave = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(_look, stage, done, leave)
        try:
            if not stage.until(lambda: stage.state(done.report) not in ("", "queued"), SOON):
                raise Unknown("no worker took the report")
            stage.stack.runner.start("worker-io")
            stage.stack.runner.start(SECOND)  # it has nothing to do until the first one's lease is over
            beside = pool.submit(_late_commit, stage, done)
            _taken_over(stage, done)
            beside.result()
        finally:
            leave.set()
        looking.result()
    done.away = listening(stage, since, TENANT)
    ids = {done.report, *done.others}
    tenants, quiet = (done.tenant, done.tenant_cut, done.away), silence(done.looks)
    clients = (done.cut, *tenants)

    def heard() -> bool:  # all there is, or nothing for so long that no more will come
        whole = done.cut.over and done.steady.over and all(ids <= _heard_end(one) for one in tenants)
        return whole or all(one.still(quiet) for one in clients)

    stage.until(heard, SOON)
    done.replay = heard_all(stage, path, TENANT)
    done.over = time.time()
    for one in (done.steady, done.cut, done.tenant, done.tenant_cut, done.away, done.stranger):
        one.stop()
    return done


def _taken_over(stage: Stage, done: Day) -> None:
    told: set[int] = set()

    def at_half() -> bool:
        state, percent = Look(0, 0, stage.ask("GET", f"/jobs/{done.report}", seconds=20)).seen
        told.add(percent)
        return state in OVER or (percent >= HALF and len([one for one in told if one > 10]) > 1)

    stage.until(at_half, SOON)
    runner = stage.stack.runner
    runner.freeze(FIRST)
    view = stage.ask("GET", f"/jobs/{done.report}", seconds=20)
    done.frozen_at = Look(view.at, 0, view).seen
    if done.frozen_at[0] in OVER:
        runner.thaw(FIRST)
        done.mark(f"the report is {done.frozen_at[0]} before its worker could be frozen half-way")
        return
    done.mark(f"{FIRST}, which works on the report, is frozen; the report is {done.frozen_at[0]}")
    ended = stage.until(lambda: stage.state(done.report) in OVER, SOON)
    runner.thaw(FIRST)
    if not ended and sorted(look.answer.ms for look in done.looks)[len(done.looks) // 2] > STARVED:
        raise Unknown(f"this machine is too busy: no worker came to the report's end within {SOON:g} s")
    done.mark(f"{FIRST} wakes; the report is {stage.state(done.report)}")
    runner.stop(FIRST, grace=60)  # it ends what it has in hand before it goes
    done.mark(f"{FIRST} has gone")


def stopped(stage: Stage, *names: str) -> None:
    """All of them at the same time: each has things to end."""
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: stage.stack.runner.stop(name, grace=10), names))


def _late_commit(stage: Stage, done: Day) -> None:
    """Mails are accepted, sent and told of while a payout's transaction, which began before, is still open."""
    with ThreadPoolExecutor(1) as pool, psycopg.connect(stage.stack.addresses.database) as lock:
        lock.execute("LOCK TABLE idempotency_keys IN SHARE MODE")
        key = f"late-{stage.seed}"
        payout = pool.submit(stage.ask, "POST", "/v1/payouts", stage.payout(key), key=key, seconds=30)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'idempotency_keys'::regclass"
        stage.until(lambda: payout.done() or stage.value(waits) > 0, STALL)
        done.late_was_held = not payout.done() and stage.value(waits) > 0
        done.mark("a payout's transaction is held open" if done.late_was_held else "a payout is accepted")
        until = time.monotonic() + HELD
        asked = [{"method": "POST", "path": f"/v1/invoices/{number}/email", "body": {}} for number in _invoices(stage)]
        answers = stage.at_once([{**one, "seconds": 20.0} for one in asked], len(asked))
        done.mark(f"{len(answers)} mails are asked for meanwhile")
        mails = [answer.job or "" for answer in answers]
        stage.until(lambda: set(mails) <= _heard_end(done.tenant_cut), until - time.monotonic())
        lock.rollback()
        done.mark("the payout's transaction may commit")
        answer = payout.result()
    if odd := [each for each in answers if not each.job]:
        raise refused(odd[0])
    if answer.status != 202:  # it lost its patience with the lock; its client comes back
        done.late_was_held = False
        answer = stage.ask("POST", "/v1/payouts", stage.payout(key), key=key, seconds=20)
    if answer.status != 202 or not answer.job:
        raise refused(answer)
    done.late = answer.job
    done.others = [*mails, answer.job]
    stage.until(lambda: all(stage.state(job) in OVER for job in done.others), SOON)


def silence(looks: Sequence[Look]) -> float:
    """Seconds after which a stream is silent; more than usual where a GET takes a quarter of it."""
    return max([SILENCE, *(4 * look.answer.ms / 1000 for look in looks)])


def _heard_end(one: Listener | None) -> set[str]:
    return {event.key[0] for event in one.events if event.seen[0] in OVER} if one else set()


def _look(stage: Stage, done: Day, leave: threading.Event) -> None:
    """Asks for the job ten times a second."""
    while not leave.wait(0.1):
        heard = [event.key[1] for event in done.steady.events] if done.steady else []
        at = time.time()
        done.looks.append(Look(at, max(heard, default=0), stage.ask("GET", f"/jobs/{done.report}", seconds=20)))


def _since(stage: Stage) -> str:
    """The tenant's stream from now on, for somebody who comes later."""
    answer = stage.asked("GET", "/jobs", seconds=20)
    found = urlsplit(str((answer.body or {}).get("links", {}).get("events", "")))
    return f"{found.path or '/events'}?{found.query}"


def _invoices(stage: Stage) -> list[int]:
    find = "SELECT array_agg(id) FROM (SELECT id FROM invoices WHERE tenant_id = %s AND status = 'open' LIMIT 2) AS two"
    return list(stage.value(find, TENANT))


def _asked(stage: Stage, method: str, path: str, body: Any, tenant: str = TENANT) -> str:
    answer = stage.asked(method, path, body, seconds=20, tenant=tenant)
    if answer.status != 202 or not answer.job:
        raise refused(answer)
    return answer.job


def refused(answer: Answer) -> Broken:
    return Broken(
        stimulus=answer.request, rule="Work is accepted with 202.",
        difference=f"expected 202, found {answer}: {answer.text[:150]}", evidence=[answer.moment()],
        costs="Nothing can be asked for.", look="exercise 1",
    )  # fmt: skip
