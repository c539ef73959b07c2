"""Exercise 4, judged by the partner's ledger: who called again, how often, and after how long."""

from mails import Mail, timeline
from play import NOT_NOW, OVER, RETRY_AFTER, SLOTS, SOON, Burst, burst, cast, waiting
from waits import ATTEMPTS, BASE, CAP, FAR, FEWEST, Waits, waits

from accepted.grade import evidence
from accepted.grade.answer import Answer
from accepted.grade.booting import BOOT
from accepted.grade.evidence import Moment
from accepted.grade.keys import asked_by_natural_key
from accepted.grade.lost import lost
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown

LATE = 1.0  # s of lag, above which waits say nothing: it was 0.1 on one core of two busy ones
GAIN = 0.1 * CAP  # s: between nothing and 0.19 of the cap, which is the least where a scheduler ticks by the second
FULL = 0.17 * CAP  # s: half a jitter's standard deviation is 0.14 of the cap, a full one's 0.29, and 0.21 by ticks
SLACK = 0.25  # s between the provider's clock and that of whoever read its answer
MANY = "two invoices changed; each of their webhooks was answered with 503 four times"


def check_boots(stage: Stage) -> str:
    return f"four processes after {stage.boot():.1f} s"


def check_works(stage: Stage) -> str:
    return f"charged {stage.played(works)[1]:.2f} s after it was asked for"


def check_keys(stage: Stage) -> str:
    return f"asked for under {asked_by_natural_key(stage, stage.played(works)[0])}"


def works(stage: Stage) -> tuple[Answer, float]:
    """A payout, and the seconds from asking for it to its charge, nothing going wrong."""
    answer = stage.asked("POST", "/v1/payouts", stage.payout(), key=f"works-{stage.seed}", seconds=30)
    patience = BOOT + SOON  # its workers may just be starting
    stage.until(lambda: stage.state(answer.job or "") in OVER, patience)
    calls, state = stage.ledger(kind="charge")["calls"], stage.state(answer.job or "") or str(answer)
    if state != "succeeded" or len(calls) != 1:
        excused(stage, answer.job or "", len(calls) - 1)
        raise broken(
            "one payout, nothing going wrong", "What succeeds is tried once.",
            f"expected one call and a job that succeeds within {patience:g} s, found {len(calls)} and {state}",
            evidence.calls(stage.ledger(kind="charge")),
        )  # fmt: skip
    return answer, float(calls[0]["at"] - answer.at)


def check_pool_stays_free(stage: Stage) -> str:
    scene = stage.played(waiting)
    if not scene.charged_at or scene.charged_at >= scene.free_at:
        firsts = [calls[0]["at"] for mail in scene.mails if (calls := mail.calls(stage))]
        if sum(at < scene.free_at for at in firsts) > SLOTS:
            raise Unknown(
                f"a fifth job was begun meanwhile, so {SLOTS} workers were not all asleep: the machine stalled"
            )
        left, usual = scene.free_at - scene.asked_at, stage.played(works)[1]
        if left < RETRY_AFTER / 2 or usual > left / 2:
            found = f"{left:.1f} s were left, and without them it took {usual:.1f} s"
            raise Unknown(f"a payout was to be asked for while jobs wait; {found}")
        took = f"{scene.charged_at - scene.asked_at:.1f} s" if scene.charged_at else "for ever"
        raise broken(
            f"{len(scene.mails)} e-mails were answered with 503 and Retry-After: {RETRY_AFTER}; meanwhile a payout was"
            f" asked for, of {SLOTS} workers",
            "A job that waits for its next attempt holds no worker.",
            f"expected the payout's charge before any of them is due ({left:.1f} s), found it waited {took}",
            scene.marks, costs="One partner that is down stops all work: everybody waits for those who wait.",
        )  # fmt: skip
    return f"a payout was charged in {scene.charged_at - scene.asked_at:.2f} s, while {len(scene.mails)} jobs waited"


def check_spaced(stage: Stage) -> str:
    scene, found = stage.played(waited)
    few = "expected {} attempts at each of {} webhooks, {}"
    if len(found.late) < 2 * FEWEST:
        if len(scene.deliveries) < FEWEST:
            raise Unknown(f"{scene.expected} webhooks were to be refused, and {len(scene.deliveries)} were sent")
        if not scene.over:
            timely(scene, found, right=False)
        most = max(map(len, scene.deliveries.values()))
        rule = "What a partner can't do now (503) is tried again, soon enough to be of use."
        raise of_many(scene, found, rule, few.format(ATTEMPTS, scene.expected, f"found {most} at most"))
    grown = found.grown(LATE) >= CAP / 4 or (found.mean >= CAP / 4 and found.gained >= GAIN)
    if found.mean >= CAP / 4:  # lag can but lengthen: shorter waits are wrong on any machine
        timely(scene, found, grown)
    if not grown:
        raise of_many(
            scene, found, "Waits grow: their ceiling is RETRY_BASE, doubled with each attempt, up to RETRY_CAP.",
            f"expected the waits after attempts 3 and 4 to be {CAP / 2:g} s on average, found {found.mean:.2f} s",
        )  # fmt: skip
    return f"{len(found.late)} waits after attempts 3 and 4: {found.mean:.2f} s on average, ceiling {CAP:g} s"


def check_spread(stage: Stage) -> str:
    scene, found = stage.played(waited)
    timely(scene, found, found.spread >= FULL)
    if found.spread < FULL:
        raise of_many(
            scene, found, "Full jitter: a wait is drawn evenly between nothing and its ceiling, for each job anew.",
            f"expected the late waits to be {0.29 * CAP:.2f} s from their mean (standard deviation), found"
            f" {found.spread:.2f} s",
            "The partner comes up again, and all who failed together call in the same second: down it goes.",
        )  # fmt: skip
    if found.drawn(scene.in_line) < FULL:
        raise Unknown(f"retries lay up to {scene.held_up:.1f} s in their queue before a worker took them: this machine "
                      "is too busy to tell jitter from a queue")  # fmt: skip
    return f"{len(found.late)} waits are {found.spread:.2f} s from their mean; a uniform draw is {0.29 * CAP:.2f} s"


def check_wait_is_capped(stage: Stage) -> str:
    scene, found = stage.played(waited)
    last, before = found.beyond(ATTEMPTS - 1), found.beyond(ATTEMPTS - 2)
    longest = max(found.after[ATTEMPTS - 1], default=0)
    timely(scene, found, last - before <= 0.12)
    if last - before > 0.12:
        if scene.held_up > FAR:
            raise Unknown(f"a retry lay {scene.held_up:.1f} s in its queue before a worker took it: this machine is "
                          "too busy to tell a wait from a queue")  # fmt: skip
        raise of_many(
            scene, found, "The ceiling stops growing at RETRY_CAP.",
            f"expected none above {CAP:g} s, found {last:.0%} of the last ones far above, the longest {longest:.1f} s",
            "The partner is back after a minute; some of its customers hear of it tomorrow.",
        )  # fmt: skip
    return f"the last waits are as long as those before; the longest took {longest:.1f} s"


def check_attempts_are_capped(stage: Stage) -> str:
    rule = "MAX_ATTEMPTS counts all runs, the first as well; after the last one the job has failed."
    for mail in stage.played(burst).told("hopeless"):
        number = judged(stage, mail, "every attempt to send an e-mail was answered with 503", rule, ATTEMPTS, "failed")
    return f"{number} attempts, then the job had failed"


def check_refusals_are_final(stage: Stage) -> str:
    mails = stage.played(burst).told("final")
    rule = "A 4xx says that the request is wrong. It will be as wrong the next time: one attempt, then it has failed."
    for mail in mails:
        judged(stage, mail, f"the provider answered an e-mail with {mail.told.split()[1]}", rule, 1, "failed")
    return f"one call each for {', '.join(mail.told.split()[1] for mail in mails)}"


def check_not_now_is_tried_again(stage: Stage) -> str:
    rule = "408, 425 and 429 speak of this moment, not of the request: the next attempt may go well."
    for mail in stage.played(burst).told("not now"):
        judged(stage, mail, f"the provider answered an e-mail with {mail.told.split()[2]}, once", rule, 2, "succeeded")
    return f"{', '.join(map(str, NOT_NOW))}: two calls each, and the mail is out"


def check_cut_line_is_tried_again(stage: Stage) -> str:
    (mail,) = stage.played(burst).told("cut")
    rule = "A connection that breaks says nothing about the request: it is tried again."
    judged(stage, mail, "the connection was cut before the provider had done anything, once", rule, 2, "succeeded")
    return "two calls, and the mail is out"


def check_retry_after_is_kept(stage: Stage) -> str:
    scene = stage.played(waiting)
    rule = "Who is told when to come back does not come sooner."
    soonest = float("inf")
    for mail in scene.mails:
        stimulus = f"the provider answered an e-mail with 503 and Retry-After, {RETRY_AFTER} s in {mail.told}"
        stage.until(lambda mail=mail: len(mail.calls(stage)) > 1 or stage.state(mail.job) in OVER, SOON)
        if len(mail.calls(stage)) < 2:
            raise broken(stimulus, rule, f"expected a second attempt within {SOON:g} s, found none", mail.seen(stage))
        first, second = mail.calls(stage)[:2]
        if first.get("status") != 503:
            raise Unknown(f"the provider was to refuse {first['key']} once, and answered {first.get('status')}")
        waited = second["at"] - first["ended"]
        soonest = min(soonest, waited)
        if waited < RETRY_AFTER - SLACK:
            excused(stage, mail.job, 1)
            seen = timeline(mail.calls(stage), "too soon")
            raise broken(stimulus, rule, f"expected {RETRY_AFTER} s at least, found {waited:.2f} s", seen,
                         "The partner counts who does not listen, and locks your key out for a day.")  # fmt: skip
    told = stage.played(cast)
    return f"{len(told.seconds)} told in seconds and {len(told.date)} by date; the first was back after {soonest:.2f} s"


def judged(stage: Stage, mail: Mail, stimulus: str, rule: str, attempts: int, state: str) -> int:
    """So many attempts, and the job in that state. Raises Broken."""
    calls = mail.calls(stage)
    if not calls:
        raise Unknown(f"an e-mail of invoice {mail.invoice} was to be refused, and nobody tried to send it")
    now = stage.state(mail.job)
    if len(calls) != attempts or now != state:
        excused(stage, mail.job, len(calls) - attempts)
        if not stage.played(burst).over:
            timely(*stage.played(waited), right=False)
        difference = f"expected {attempts} attempt(s) and job {mail.job[:8]} {state}, found {len(calls)} and {now}"
        seen = [*timeline(calls, "one too many", attempts), *mail.seen(stage)[len(calls) :]]
        raise broken(stimulus, rule, difference, seen)
    return len(calls)


def waited(stage: Stage) -> tuple[Burst, Waits]:
    """The refused webhooks, and the waits between their attempts."""
    scene = stage.played(burst)
    return scene, waits(scene.deliveries, scene.lags)


def excused(stage: Stage, job: str, calls: int) -> None:
    """Raises Unknown where so many calls too many are no more than the leases that ended while somebody was at work."""
    if 0 < calls <= (times := lost(stage, job)):
        raise Unknown(f"a lease of 15 s ended at work ({times} times): this machine is too busy")


def timely(scene: Burst, found: Waits, right: bool) -> None:
    """Raises Unknown where lag could pass for waits, or for chance; who seems to be wrong is given every doubt."""
    if not found.lags:
        raise Unknown("no webhook that nobody refused was sent meanwhile, so nothing tells how busy this machine is")
    if (lag := found.lag if right else found.worst) > LATE:
        why = f"webhooks that nobody refused took {lag:.1f} s meanwhile"
        raise Unknown(f"{why}: this machine is too busy to tell a wait from a queue")
    if not right and scene.stalled > LATE:
        raise Unknown(f"for {scene.stalled:.1f} s this machine, or whoever looks for what is due, stood still")


def of_many(scene: Burst, found: Waits, rule: str, difference: str, costs: str = "") -> Broken:
    """With the attempts at the webhook that was tried most often, and the figures of all."""
    calls = max(scene.deliveries.values(), key=len)
    last = max(call["at"] for call in calls)
    figures = [Moment(last + n / 1e6, line, "of all") for n, line in enumerate(found.figures(), 1)]
    stimulus = f"{MANY}, {len(scene.deliveries)} in all; RETRY_BASE is {BASE:g}, RETRY_CAP {CAP:g}"
    return broken(stimulus, rule, difference, [*timeline(calls, since=99), *figures], costs)


def broken(stimulus: str, rule: str, difference: str, seen: list[Moment], costs: str = "") -> Broken:
    costs = costs or "A partner in trouble is called more than ever by those who need it most; or never again."
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=seen, costs=costs,
                  look="shared/retries.py; make hint-4", logs=["worker-io"])  # fmt: skip
