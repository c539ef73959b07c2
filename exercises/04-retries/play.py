"""What is done to the tree in exercise 4: a partner that says no in many ways, to many jobs at once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from mails import Call, Mail, accepted, ask, invoices, of_invoice, rule
from probes import Lag, in_line, probes

from accepted.grade.evidence import Moment
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Unknown
from accepted.stack import processes

SLOTS = 4  # IO_SLOTS
RETRY_AFTER = 8  # s: less than the burst takes in any case
BY_SECONDS, BY_DATE = 6, 2  # e-mails that are told to wait
FINAL = (400, 401, 403, 404, 409, 410, 422)
NOT_NOW = (408, 425, 429)
FANOUTS = 2  # of twenty subscribers each
ENOUGH = "1-12"  # calls that are refused: who never stops would keep its own workers from everything else
OVER = ("succeeded", "failed")
SOON = 90.0  # s in which one job has to be over, also where it has a tenth of a laptop
LONG = 120.0  # s for all; the ceilings of the waits add up to 11 s
PAUSE = 0.4  # s between two looks at the burst
OVERDUE = ("SELECT coalesce(max(extract(epoch FROM clock_timestamp() - due_at)), 0)::float8 FROM jobs"
           " WHERE state = 'retrying' AND due_at < clock_timestamp()")  # fmt: skip


@dataclass
class Cast:
    """Which invoice plays which part. The faults are set once, for all of them: a new set would begin to count anew."""

    seconds: list[int]
    date: list[int]
    final: dict[int, int]  # status by invoice
    not_now: dict[int, int]
    cut: int
    hopeless: list[int]
    fanouts: list[int]


@dataclass
class Waiting:
    """Those who were told when to come back, and the payout that was asked for meanwhile."""

    mails: list[Mail]
    free_at: float = 0.0  # when the first of them may come back, seconds since the epoch
    charged_at: float | None = None
    asked_at: float = 0.0
    marks: list[Moment] = field(default_factory=list)


@dataclass
class Burst:
    """`deliveries`: calls by webhook-id. `over`: all was seen. `lags`: of the probes that were sent meanwhile.
    `stalled`: the longest, s, that the machine stood still, or that what was due waited for its scheduler; `in_line`:
    seconds that it then waited for a worker, by the attempt before."""

    mails: list[Mail]
    deliveries: dict[str, list[Call]]
    expected: int
    over: bool
    lags: list[Lag]
    stalled: float = 0.0
    in_line: Mapping[int, Sequence[float]] = field(default_factory=dict)

    @property
    def held_up(self) -> float:
        """The longest of these."""
        return max(chain.from_iterable(self.in_line.values()), default=0.0)

    def told(self, what: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.told.startswith(what)]


def cast(stage: Stage) -> Cast:
    """Hands out the parts, and sets the faults."""
    ids = iter(invoices(stage, BY_SECONDS + BY_DATE + len(FINAL) + len(NOT_NOW) + 3 + FANOUTS))
    found = Cast(
        [next(ids) for _ in range(BY_SECONDS)], [next(ids) for _ in range(BY_DATE)],
        {next(ids): status for status in FINAL}, {next(ids): status for status in NOT_NOW},
        next(ids), [next(ids), next(ids)], [next(ids) for _ in range(FANOUTS)],
    )  # fmt: skip
    stage.play(
        *(rule(one, "1", status=503, retry_after=RETRY_AFTER) for one in found.seconds),
        *(rule(one, "1", status=503, retry_after_date=RETRY_AFTER) for one in found.date),
        *(rule(one, ENOUGH, status=status) for one, status in found.final.items()),
        *(rule(one, "1", status=status) for one, status in found.not_now.items()),
        rule(found.cut, "1", drop=True),
        *(rule(one, ENOUGH, status=503) for one in found.hopeless),
        {"match": {"op": "hook", "key": f"{TENANT}:*"}, "calls": "1-4", "per": "key", "do": {"status": 503}},
    )
    return found


def waiting(stage: Stage) -> Waiting:
    """Twice as many jobs as there are workers are told to come back later; then a payout is asked for."""
    parts = stage.played(cast)
    scene = Waiting([ask(stage, one, "seconds") for one in parts.seconds])
    answered: list[Call] = []

    def told() -> bool:
        calls = stage.ledger(kind="email")["calls"]
        answered[:] = [one for each in parts.seconds for one in of_invoice(calls, each)[:1] if one.get("status")]
        return len(answered) >= SLOTS

    if not stage.until(told, SOON):
        raise Unknown(f"{SLOTS} e-mails were to be refused with 503, and {len(answered)} were within {SOON:g} s")
    scene.mails += [ask(stage, one, "date") for one in parts.date]
    scene.free_at = min(one["ended"] for one in answered) + RETRY_AFTER
    scene.marks += [Moment(one["ended"], f"{one['key']} → 503, Retry-After: {RETRY_AFTER}") for one in answered]
    seq = stage.seq()
    answer = stage.ask("POST", "/v1/payouts", stage.payout(), key=f"meanwhile-{stage.seed}", seconds=30)
    accepted(answer)
    scene.asked_at = answer.at
    scene.marks.append(answer.moment())

    def charged() -> bool:
        calls = stage.ledger(kind="charge", after=seq)["calls"]
        scene.charged_at = calls[0]["at"] if calls else None
        return bool(calls)

    stage.until(charged, max(0, scene.free_at - time.time()) + SOON)
    if scene.charged_at:
        scene.marks.append(Moment(scene.charged_at, "the payout's charge reaches the provider"))
    return scene


def burst(stage: Stage) -> Burst:
    """Forty webhooks that fail four times each, and e-mails that are refused in all ways, at the same time."""
    parts = stage.played(cast)
    seq, due = stage.seq(), probes(stage)
    find = "SELECT count(*) FROM subscribers WHERE tenant_id = %s AND active"
    expected = int(stage.value(find, TENANT)) * FANOUTS
    mails = [
        *(ask(stage, one, f"final {status}") for one, status in parts.final.items()),
        *(ask(stage, one, f"not now {status}") for one, status in parts.not_now.items()),
        ask(stage, parts.cut, "cut"),
        *(ask(stage, one, "hopeless") for one in parts.hopeless),
    ]
    for one in parts.fanouts:
        accepted(stage.asked("PUT", f"/v1/invoices/{one}", {"status": "open"}, seconds=30))
    deliveries: dict[str, list[Call]] = {}
    probed: list[Call] = []
    open_ = list(mails)
    looked, stalled = time.time(), 0.0

    def over() -> bool:
        nonlocal looked, stalled
        stalled = max(stalled, time.time() - looked - PAUSE, stage.value(OVERDUE))
        due.send(stage)
        deliveries.clear()
        probed.clear()
        for call in stage.ledger(kind="webhook", after=seq)["calls"]:
            ours = str(call["key"]).startswith(f"{TENANT}:")
            (deliveries.setdefault(str(call["key"]), []) if ours else probed).append(call)
        whole = len(deliveries) >= expected and all(len(calls) >= 5 for calls in deliveries.values())
        if whole:
            calls = stage.ledger(kind="email", after=seq)["calls"]
            open_[:] = [mail for mail in open_ if not decided(stage, mail, calls)]
        looked = time.time()
        return (whole and not open_) or nothing_left(stage)

    ended = processes.until(over, LONG, pause=PAUSE)
    return Burst(mails, deliveries, expected, ended, due.lags(probed, time.time()), stalled, in_line(stage))


def decided(stage: Stage, mail: Mail, calls: list[Call]) -> bool:
    """Whether no more is to come, or too much has come already."""
    most = 1 if mail.told.startswith("final") else 5
    return len(of_invoice(calls, mail.invoice)) > most or stage.state(mail.job) in OVER


def nothing_left(stage: Stage) -> bool:
    """Whether every job that was accepted is over."""
    left = stage.value("SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')")
    return bool(left == 0)
