"""Exercise 2, judged by what lies on the raw broker, and by the partner's ledger."""

import time
from collections.abc import Callable, Mapping

from asking import Asked, Seen, of, seen, shown
from play import FLOOD, HEARS, SLO, SOON, flooded, too_late, worked
from reading import LONGEST, beyond_ids, personal, wrong_form

from accepted.grade import evidence
from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown

Wrong = Callable[[Mapping[str, bytes]], str]  # what breaks a rule in the parts of a message, if anything does
LOOK = "on_rq/broker.py, or on_celery/messages.py and topology.py; make hint-2"
STOPPED = "the workers were stopped; then a payout, an e-mail, a change of an invoice and a report were asked for"
JSON = "A message is JSON, through and through: a pickle is a program, and whoever can write to the broker has it run."
OWN = "A message holds nothing that is somebody's own: no address, no bank account, no secret."
IDS = f"A message holds ids and names, in at most {LONGEST} bytes: what they stand for is read where the work is done."


def check_boots(stage: Stage) -> str:
    return f"five processes after {stage.boot(proxied=('worker-io', 'worker-cpu')):.1f} s"


def check_messages_wait(stage: Stage) -> str:
    found = stage.played(seen)
    waiting = [one for one in found.asked.values() if one.message is not None]
    if not waiting:
        raise Broken(
            stimulus=STOPPED,
            rule="What is accepted is handed to the workers as a message on the broker.",
            difference="expected messages, found none",
            evidence=[one.moment() for one in found.asked.values()],
            costs="Work that no worker hears of is not done.",
            look=LOOK,
        )
    return f"{len(waiting)} messages lie on the broker while no worker runs"


def check_json_not_pickles(stage: Stage) -> str:
    sizes = _judged(stage, JSON, wrong_form, "One stolen password of the broker, and a stranger runs code as you.")
    return f"{len(sizes)} messages, all JSON; the longest body has {max(sizes)} bytes"


def check_ids_only(stage: Stage) -> str:
    found = stage.played(seen)
    costs = "A message waits for an hour, or comes twice in a year; it acts on what was true when it was written."
    sizes = _judged(stage, IDS, lambda parts: beyond_ids(parts, found.values), costs)
    return f"{len(sizes)} messages hold none of {len(found.values)} values that their rows have"


def check_no_personal_data(stage: Stage) -> str:
    found = stage.played(seen)
    costs = "Addresses and bank accounts lie on the broker's disk, in its dashboard and in every log of a message."
    sizes = _judged(stage, OWN, lambda parts: personal(parts, found.secrets), costs)
    return f"{len(sizes)} messages, headers and all: no personal data, no secret"


def check_queue_for_each_concern(stage: Stage) -> str:
    found = stage.played(seen)
    queues = {concern: one.message.queue for concern, one in found.asked.items() if one.message}
    for concern, one in found.asked.items():
        others = [other for other, queue in queues.items() if other != concern and queue == queues.get(concern)]
        if concern in queues and not others:
            continue
        lies = f"its message lies in {queues[concern]!r}, with {', '.join(others)}" if others else "it has no message"
        raise Broken(
            stimulus=STOPPED,
            rule="Payouts, e-mails, webhooks and reports have a queue each.",
            difference=f"expected a queue for {concern} alone; {lies}",
            evidence=[each.moment("this one" if each is one else "") for each in found.asked.values()],
            costs="A newsletter goes out, and nobody is paid. You can't pause the mails without the payouts, nor see "
            "which of them is late.",
            look=LOOK,
        )
    return ", ".join(f"{concern} in {queue}" for concern, queue in queues.items())


def check_works(stage: Stage) -> str:
    done = stage.played(worked)
    for one in done.asked:
        if (state := stage.state(one.job)) != "succeeded":
            raise Broken(
                stimulus="the workers were started, with a message of each kind waiting",
                rule="Whoever takes a message finds the rows that its ids name, and does the work.",
                difference=f"expected job {one.job[:8]} ({one.concern}) to succeed; it is {state or 'not to be found'}",
                evidence=[*done.marks, one.moment(), *_events(stage, [one])],
                costs="What was accepted is never done.",
                look=LOOK,
                logs=["worker-io", "worker-cpu"],
            )
    return f"{len(done.asked)} jobs of four kinds came to a good end"


def check_fan_out_too(stage: Stage) -> str:
    done, found = stage.played(worked), stage.played(seen)
    rules: list[tuple[str, Wrong]] = [
        (JSON, wrong_form),
        (OWN, lambda parts: personal(parts, found.secrets)),
        (IDS, lambda parts: beyond_ids(parts, found.values)),
    ]
    for rule, wrong in rules:
        if any(wrong(one.parts) for one in found.asked.values() if one.message):
            continue  # that is another check's, and said there
        for queue, parts in done.children:
            if said := wrong(parts):
                raise Broken(
                    stimulus="an invoice was changed; the messages to tell its eight subscribers waited",
                    rule=rule,
                    difference=f"a message of the fan-out: {said}",
                    evidence=[*done.marks, shown(time.time(), "a delivery", queue, parts, said)],
                    costs="A signing secret that lay on a broker is none: whoever read it forges your webhooks.",
                    look=LOOK,
                    logs=["worker-io"],
                )
    known = [one.job for one in done.asked]
    if not done.children and stage.value("SELECT count(*) FROM jobs WHERE id <> ALL(%s::uuid[])", known):
        raise Unknown("the deliveries of a change were to wait where they can be read, and none was seen")
    return f"{len(done.children)} message(s) that a job published, read: ids as well"


def check_pickles_are_not_run(stage: Stage) -> str:
    done = stage.played(worked)
    if done.pickles.exists():
        raise Broken(
            stimulus="somebody else put a pickle into the queue of the payouts; loaded, it makes a folder",
            rule="What a message says is read, never run.",
            difference=f"expected no folder, found {done.pickles.name}: a worker has loaded the pickle",
            evidence=[*done.marks, Moment(done.pickles.stat().st_mtime, f"a worker makes {done.pickles}", "by pickle")],
            costs="The next stranger's pickle does not make a folder; it mails your database away.",
            look=LOOK,
            logs=["worker-io"],
        )
    sample = stage.played(seen).asked["payouts"].message
    if sample is None:
        raise Unknown("a payout had no message that a pickle could be put beside")
    raw = of(stage)
    stage.until(lambda: not raw.lengths().get(sample.queue), SOON)  # RabbitMQ counts looks at messages: one is enough
    if any(raw.parts(one)["body"] == done.forged for one in raw.waiting(sample.queue)):
        raise Unknown(f"the workers were to take the pickles, and they still lie in {sample.queue}")
    return "two pickles of a stranger were taken off the queue, and not run"


def check_flood_delays_nobody(stage: Stage) -> str:
    done = stage.played(flooded)
    heard = len(done.arrived) >= HEARS
    if too_late(done):
        found = f"{done.lag:.1f} s" if heard else f"none after {done.lag:.1f} s"
        raise Broken(
            stimulus=f"{FLOOD} reports were asked for, to a slow object store; with {done.left} of them to do, an "
            "invoice was changed",
            rule=f"A webhook goes out within {SLO:g} s of the change; on a machine that is slower, while half of the "
            "reports still wait. It never queues up behind reports.",
            difference=f"expected the change at {HEARS} subscribers within {SLO:g} s, found {found}; "
            f"{done.ended} reports ended in that time",
            evidence=[*done.marks, done.change.moment("the change"), *_hooks(done.arrived),
                      Moment(done.over, f"{done.ended} reports have ended since the change", "they went first")],
            costs="Month's end: the accountants press Export, and your customers' systems learn of a payment an hour "
            "later.",
            look=f"{LOOK}; in what order do the workers look at their queues, and how much do they take at once?",
            logs=["worker-io", "worker-cpu"],
        )  # fmt: skip
    if not heard:
        raise Unknown(f"the change of an invoice was not heard within 3 minutes, and only {done.ended} reports ended")
    return f"{done.left} slow reports ahead of it: the webhook was there after {done.lag:.1f} s"


def _judged(stage: Stage, rule: str, wrong: Wrong, costs: str) -> list[int]:
    """Applies a rule to each message that waited; returns the lengths of their bodies."""
    found: Seen = stage.played(seen)
    waiting = [one for one in found.asked.values() if one.message is not None]
    for one in waiting:
        if said := wrong(one.parts):
            raise Broken(
                stimulus=STOPPED,
                rule=rule,
                difference=f"the message of {one.concern}, job {one.job[:8]}: {said}",
                evidence=[each.moment(said if each is one else "") for each in waiting],
                costs=costs,
                look=LOOK,
                logs=["web", "relay"],
            )
    return [len(one.parts["body"]) for one in waiting]


def _hooks(arrived: list[float]) -> list[Moment]:
    return [Moment(at, "a subscriber hears of the change") for at in arrived]


def _events(stage: Stage, asked: list[Asked]) -> list[Moment]:
    return evidence.job_events(stage.stack.addresses.database, [one.job for one in asked])
