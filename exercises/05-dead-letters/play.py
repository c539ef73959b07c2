"""The scenes of exercise 5 in which nobody dies: what can't go on, operators at their desk, long work."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from asking import OVER, WHO, Asked, account_of, email, invoices, letter_of, ops, payout

from accepted.grade import messages
from accepted.grade.answer import Answer
from accepted.grade.booting import BOOT
from accepted.grade.departed import departed
from accepted.grade.evidence import Moment
from accepted.grade.stage import STALL, TENANT, Stage
from accepted.grade.verdict import Unknown
from accepted.stack import processes

SOON = 60.0  # s in which a job has to be over, on a machine that has other work
WORKERS = ("worker-io", "worker-cpu")
ENOUGH = "1-12"  # calls that are refused: who never stops would keep its own workers from everything else
LONG = 3.3  # s of one call: more than two leases
MANY = 8  # e-mails at once, for four to six workers


@dataclass
class Parked:
    """Jobs that can't go on: refused for a while, refused for good, and two subscribers who are broken."""

    hopeless: Asked
    final: Asked
    broken: dict[str, int]  # deliveries that fail, by the subscriber's URL
    personal: dict[str, str]  # what no dead letter may hold, by what it is
    unreadable: bytes
    marks: list[Moment] = field(default_factory=list)


@dataclass
class Desk:
    """What the operators' commands said, and what /metrics did before them."""

    metrics: Answer
    endpoints: dict[str, Any]
    requeued: list[dict[str, Any]]
    requeued_at: float  # seconds since the epoch
    purged: dict[str, Any]
    marks: list[Moment]


@dataclass
class Busy:
    """E-mails whose sending takes longer than two leases, more than there are workers."""

    mails: list[Asked]


def works(stage: Stage) -> tuple[Asked, float]:
    """A payout, and the seconds until it was over. A job takes as long elsewhere on this machine."""
    began = time.monotonic()
    one = payout(stage, "works")
    stage.until(lambda: stage.state(one.job) in OVER, BOOT + SOON)  # its workers may just be starting
    return one, time.monotonic() - began


def parked(stage: Stage) -> Parked:
    """Asked for while no worker runs, because a message has to be copied before it can be forged."""
    raw = messages.of(stage.stack.addresses.broker, stage.backend)
    stage.until(lambda: not any(raw.lengths().values()), SOON)
    departed(stage.stack.runner, WORKERS, raw, lambda: workers_stop(stage))
    one, other = invoices(stage, 2)
    doors = _broken_subscribers(stage)
    stage.play(
        {"match": {"op": "charge", "key": f"*:payout:hopeless-{stage.seed}:*"}, "calls": ENOUGH, "do": {"status": 503}},
        {"match": {"op": "email", "key": f"*:email:{one}:*"}, "calls": ENOUGH, "do": {"status": 422}},
        *({"match": {"op": "hook", "subscriber": name}, "do": {"status": 410}} for name in doors.values()),
    )
    before = raw.lengths()
    hopeless = payout(stage, "hopeless")
    message = messages.added(raw, before, 30)
    if message is None:
        raise Unknown("a payout's message was to lie on the broker within 30 s, with no worker running")
    final = email(stage, one)
    personal = _personal(stage, one)
    unreadable = f'{{"charge": "{personal["bank account"]}", "mail": "{personal["address"]}", "to": '.encode()
    raw.put(raw.forged(message, unreadable, "application/json"))
    changed = stage.ask("PUT", f"/v1/invoices/{other}", {"status": "open"}, seconds=30)
    if changed.status != 202:
        raise Unknown(f"an invoice was to change, and PUT was answered with {changed}")
    mark = Moment(time.time(), f"on the broker: a payout, an e-mail, {len(doors)} webhooks that fail, unreadable bytes")
    for name in WORKERS:
        stage.stack.runner.start(name)
    unfinished = "SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"
    processes.until(lambda: stage.value(unfinished) == 0 and not any(raw.lengths().values()), 2 * SOON, pause=0.2)
    return Parked(hopeless, final, dict.fromkeys(doors, 1), personal, unreadable, [mark])


def workers_stop(stage: Stage) -> None:
    for name in WORKERS:
        stage.stack.runner.stop(name, grace=10)


def _broken_subscribers(stage: Stage) -> dict[str, str]:
    """Two of them: their name at the partner, by URL."""
    find = "SELECT array_agg(url ORDER BY id) FROM subscribers WHERE tenant_id = %s AND active"
    urls = list(stage.value(find, TENANT))[3:5]
    return {url: url.rstrip("/").rpartition("/")[2] for url in urls}


def _personal(stage: Stage, invoice: int) -> dict[str, str]:
    find = "SELECT {} FROM customers WHERE id = (SELECT customer_id FROM invoices WHERE id = %s)"
    about = {"address": "email", "customer's name": "name"}
    found = {what: str(stage.value(find.format(column), invoice)) for what, column in about.items()}
    return found | {"bank account": str(account_of(stage, "hopeless", "iban"))}


def busy(stage: Stage) -> Busy:
    """They are asked for; nobody waits for them here."""
    stage.played(parked)
    stage.play({"match": {"op": "email"}, "do": {"delay": LONG}})
    return Busy([email(stage, one) for one in invoices(stage, MANY + 2)[2:]])


def desk(stage: Stage) -> Desk:
    """While the workers are busy with long work."""
    scene = stage.played(parked)
    metrics = stage.asked("GET", "/metrics", seconds=STALL, tenant=None)
    stage.played(busy)
    marks = [Moment(time.time(), "the partner works again")]
    endpoints = ops(stage, "dead-letters", "--by-endpoint")
    hopeless, final = letter_of(stage, scene.hopeless.job), letter_of(stage, scene.final.job)
    if not hopeless or not final:
        raise Unknown("there is no dead letter to requeue or to purge")
    again = ("requeue", "--id", str(hopeless["id"]), "--yes", "--by", WHO)
    requeued_at = time.time()
    marks.append(Moment(requeued_at, f"twice at once: ops {' '.join(again)}"))
    with ThreadPoolExecutor(2) as pool:
        requeued = list(pool.map(lambda _: ops(stage, *again), range(2)))
    gone = ("purge", "--id", str(final["id"]), "--reason", "told the customer", "--yes", "--by", WHO)
    marks.append(Moment(time.time(), f"ops {' '.join(gone)}"))
    purged = ops(stage, *gone)
    stage.until(lambda: stage.state(scene.hopeless.job) == "succeeded", 4 + 10 * stage.played(works)[1])
    return Desk(metrics, endpoints, requeued, requeued_at, purged, marks)


def shown(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in found.items())
