"""Exercise 5, judged by the tables of the contract, the operators' commands, and what the partner saw."""

from asking import OVER, Asked, audit, broken, figures, jobs_of, letter_of, letters, texts, told
from dying import LEASE, MAX_CRASHES, Killed, dying
from play import LONG, SOON, busy, desk, parked, shown, works

from accepted.grade.booting import BOOT
from accepted.grade.keys import asked_by_natural_key
from accepted.grade.lost import begun, by_itself, lost, taken_after
from accepted.grade.stage import STALL, TENANT, Stage
from accepted.grade.verdict import Unknown

ATTEMPTS = 2  # MAX_ATTEMPTS


def check_boots(stage: Stage) -> str:
    return f"five processes after {stage.boot(held_store=True):.1f} s"


def check_works(stage: Stage) -> str:
    one, took = stage.played(works)
    found = len(stage.ledger(op="charge")["calls"]), stage.state(one.job)
    if found != (1, "succeeded"):
        by_itself(stage, one.job)
        difference = f"expected one call and succeeded within {BOOT + SOON:g} s, found {found}"
        rule = "A job that was accepted comes to a good end."
        raise broken(stage, "one payout, nothing going wrong", rule, difference, one.seen(stage))
    return f"one charge after {took:.2f} s"


def check_keys(stage: Stage) -> str:
    return f"asked for under {asked_by_natural_key(stage, stage.played(works)[0].answer)}"


def check_parked_with_context(stage: Stage) -> str:
    scene = stage.played(parked)
    rule = "Who is given up ends among the dead letters, with tenant, job key, attempts, class of error and trace."
    for one, attempts, what in ((scene.hopeless, ATTEMPTS, "503 each time"), (scene.final, 1, "422")):
        letter, state = letter_of(stage, one.job), stage.state(one.job)
        wanted = {"tenant_id": TENANT, "natural_key": one.key, "attempts": attempts, "trace_id": one.trace}
        wrong = [f"{name} is {(letter or {}).get(name)}, not {value}" for name, value in wanted.items()
                 if (letter or {}).get(name) != value]  # fmt: skip
        if letter and not (letter["error_class"] and letter["reason"]):
            wrong.append("it does not say what went wrong")
        if letter is None or wrong or state != "failed":
            by_itself(stage, one.job)
            refused = [call.get("status") for call in one.calls(stage)]
            if refused == [int(what[:3])] * attempts and (runs := begun(stage, one.job)) > attempts:
                raise Unknown(f"{one.key} was begun {runs} times and refused {attempts} times, as it was to be: "
                              "a run ended before its call, and the machine may be too busy")  # fmt: skip
            found = "; ".join(wrong) if letter else "there is no dead letter"
            raise broken(stage, f"a partner answered {one.key} with {what}", rule, f"the job is {state}; {found}",
                         [*scene.marks, *one.seen(stage)])  # fmt: skip
    return f"{told(letter_of(stage, scene.hopeless.job))[:150]}"


def check_undecodable_parked(stage: Stage) -> str:
    scene = stage.played(parked)
    stage.until(lambda: bool(letters(stage, "job_id IS NULL")), 5)  # no job of the table waits for it
    found = letters(stage, "job_id IS NULL")
    if len(found) != 1:
        raise broken(
            stage, "bytes that nobody can read were put on the broker, before the messages of other jobs",
            "What can't be read is parked at once, and once; nobody has to read it again.",
            f"expected one dead letter without a job, found {len(found)}", [*scene.marks, *scene.hopeless.seen(stage)],
        )  # fmt: skip
    return f"{len(scene.unreadable)} bytes became dead letter {found[0]['id']}: {found[0]['reason'][:80]}"


def check_no_personal_data(stage: Stage) -> str:
    scene = stage.played(parked)
    whole = letters(stage)
    for letter in whole:
        held = {name: "\n".join(texts(value)) for name, value in letter.items()}
        if found := [what for what, value in scene.personal.items() if any(value in text for text in held.values())]:
            where = [name for name, text in held.items() if any(scene.personal[what] in text for what in found)]
            raise broken(
                stage, "a payout, an e-mail, two webhooks and an unreadable message were parked",
                "A dead letter is read by many and kept for long: ids and figures, no personal data.",
                f"expected none in {len(whole)} letters, found the {' and the '.join(found)} of a customer in"
                f" letter {letter['id']}, {', '.join(where)}", scene.marks,
                costs="Whoever may look at failures reads your customers' bank accounts.",
            )  # fmt: skip
    return f"{len(whole)} letters, and none of {', '.join(scene.personal)} in them"


def check_size_is_a_metric(stage: Stage) -> str:
    said = figures(stage.played(desk).metrics, "dead_letters")
    found = said if isinstance(said, dict) else {}
    wanted = {"payouts": 1, "emails": 1, "webhooks": len(stage.played(parked).broken)}
    unreadable = 1 if found.get("payouts") == 2 else 0  # it lay among the payouts; not every library can tell
    if {name: found.get(name) for name in wanted} != {**wanted, "payouts": 1 + unreadable}:
        by_itself(stage, *jobs_of(stage, "webhook.deliver"))
        raise broken(
            stage, "GET /metrics, with a payout, an e-mail and two webhooks parked",
            "dead_letters{queue=…} says how many open dead letters each queue has.",
            f"expected {shown(wanted)}; found {shown(found) or said or 'no such figure'}", stage.played(parked).marks,
            costs="No figure, no alert: the letters pile up until a customer asks.",
        )  # fmt: skip
    return shown(wanted)


def check_bad_endpoints(stage: Stage) -> str:
    scene, answer = stage.played(parked), stage.played(desk).endpoints
    rows = answer.get("endpoints")
    found = {str(one.get("endpoint")): one.get("dead_letters") for one in rows} if isinstance(rows, list) else {}
    if missing := [url for url, number in scene.broken.items() if found.get(url) != number]:
        by_itself(stage, *jobs_of(stage, "webhook.deliver"))
        raise broken(
            stage, "ops dead-letters --by-endpoint --json, after two subscribers answered 410",
            "Dead letters can be counted by the endpoint that refused.",
            f"expected {missing[0]} with 1, found {shown(found) or shown(answer)}", scene.marks,
            costs="The same broken endpoint fills your dead letters every night, and nobody can say whose it is.",
        )  # fmt: skip
    return f"{len(scene.broken)} broken subscribers, each with its endpoint"


def check_requeue_runs_once(stage: Stage) -> str:
    scene, done = stage.played(parked), stage.played(desk)
    one = scene.hopeless
    number = sum(int(each.get("count") or 0) for each in done.requeued)
    state, calls = stage.state(one.job), [call for call in one.calls(stage) if call["at"] >= done.requeued_at]
    effects = stage.ledger(kind="charge")["effects"]
    charges = [each for each in effects if one.key in (each["key"], each["idempotency_key"])]
    letter, rows = letter_of(stage, one.job), audit(stage, "requeue")
    closed = bool(letter and letter["requeued_at"])
    wanted = (1, "succeeded", 1, 1, True, 1)
    found = (number, state, len(calls), len(charges), closed, len(rows))
    if found != wanted:
        by_itself(stage, one.job)
        names = ("requeued", "job", "calls since then", "charges", "letter closed", "rows of the audit")
        pairs = [f"{name}: expected {want}, found {got}" for name, want, got in zip(names, wanted, found, strict=True)]
        wrong = [pair for pair, want, got in zip(pairs, wanted, found, strict=True) if want != got]
        raise broken(stage, "two operators requeued the same dead letter at once, the partner being well again",
                     "A requeued job runs again, once, and its dead letter is closed.",
                     "; ".join(wrong), [*done.marks, *one.seen(stage)])  # fmt: skip
    return "two requeues at once: one run, one charge, the letter closed, one row of the audit"


def check_purge_leaves_a_trace(stage: Stage) -> str:
    scene, done = stage.played(parked), stage.played(desk)
    letter, rows = letter_of(stage, scene.final.job), audit(stage, "purge")
    closed, state = bool(letter and letter["purged_at"]), stage.state(scene.final.job)
    if not closed or state != "failed" or len(rows) != 1 or rows[0]["actor"] != "grader":
        found = f"purged_at {'is set' if closed else 'is not set'}, the job is {state}, {len(rows)} row(s) of the audit"
        raise broken(
            stage, "ops purge of a dead letter, with a reason and a name",
            "What is given up for good stays on record: the letter closed, and who did it, when and why.",
            f"expected a closed letter, a failed job, one row by grader; found {found}", done.marks,
            costs="A customer asks what became of an order, and there is nothing to look up.",
        )  # fmt: skip
    return f"closed, and in the audit: {rows[0]['actor']}, {rows[0]['detail']}"[:110]


def check_long_work_is_no_death(stage: Stage) -> str:
    mails = stage.played(busy).mails
    stage.until(lambda: all(stage.state(one.job) in OVER for one in mails), SOON + 2 * LONG)
    waited = [one for one in mails if lost(stage, one.job, "queued")]
    worked = [one for one in mails if lost(stage, one.job) or len(one.calls(stage)) > 1]
    states = {one.job: stage.state(one.job) for one in mails}
    well = [one for one in mails if one not in waited + worked and states[one.job] == "succeeded"]
    if len(well) == len(mails):
        return f"{len(mails)} e-mails of {LONG:g} s each, in a row: none was taken for lost"
    # Who never renews loses all of them; a machine that stalls once, those that are at work then.
    if well and not waited and len(well) + len(worked) == len(mails):
        raise Unknown(f"{len(worked)} of {len(mails)} leases ended in the middle of a run: the machine may be too busy")
    worst = max(waited or worked or mails, key=lambda one: len(one.seen(stage)))
    raise broken(
        stage, f"{len(mails)} e-mails were asked for, each of which takes {LONG:g} s; a lease is {LEASE:g} s",
        "A lease is renewed while its worker lives, and it begins when work begins: waiting is no death.",
        f"expected all to succeed at their first run, found {len(worked)} taken for lost at work,"
        f" {len(waited)} while they waited; they are {', '.join(sorted(set(states.values())))}",
        worst.seen(stage), costs="The more there is to do, the more is done twice, just when there is most to do.",
    )  # fmt: skip


def check_killed_job_is_back(stage: Stage) -> str:
    scene, _ = stage.played(dying)
    back = gap(stage, scene, scene.once)
    if back is not None:
        stage.until(lambda: stage.state(scene.once.job) in OVER, SOON)
    state = stage.state(scene.once.job)
    if back is None or back > scene.allowed or state != "succeeded":
        by_itself(stage, scene.once.job, kills=len(scene.kills(scene.once.calls(stage))))
        found = f"after {back:.1f} s" if back is not None else "never"
        raise broken(
            stage, "a worker was killed with SIGKILL in the middle of a call",
            "A killed worker's job is taken up again within two leases.",
            f"expected it within {2 * LEASE:g} s and what a job takes here ({scene.allowed:.1f} s in all),"
            f" found it {found}; the job is {state}",
            [*scene.marks, *scene.once.seen(stage)],
        )  # fmt: skip
    return f"killed, and taken up again after {back:.2f} s; a lease is {LEASE:g} s"


def gap(stage: Stage, scene: Killed, one: Asked) -> float | None:
    """Seconds from the first kill until the job was taken away from its worker; where no event tells of that, until the
    next call: when that comes depends on the machine as well."""
    calls = one.calls(stage)
    at = scene.kills(calls)[0]
    again = next((call["at"] for call in calls if call["at"] > at), None)
    taken = taken_after(stage, one.job, at) if again else None
    return (taken or again) - at if again else None


def check_poison_is_parked(stage: Stage) -> str:
    scene, _ = stage.played(dying)
    if len(scene.kills(scene.poison.calls(stage))) >= MAX_CRASHES:
        stage.until(lambda: stage.state(scene.poison.job) in OVER, STALL)
    calls, letter, state = scene.poison.calls(stage), letter_of(stage, scene.poison.job), stage.state(scene.poison.job)
    killed = len(scene.kills(calls))
    if not calls or killed < min(len(calls), MAX_CRASHES):
        raise Unknown(f"a payout was to kill its worker {MAX_CRASHES} times: it was called for {len(calls)} times, and "
                      f"{killed} workers were killed at it")  # fmt: skip
    if len(calls) > MAX_CRASHES or letter is None or state != "failed":
        raise broken(
            stage, f"a job's worker was killed each time that it worked on it; MAX_CRASHES is {MAX_CRASHES}",
            "A job that kills its worker is parked, not tried for ever: runs are counted before they begin.",
            f"expected {MAX_CRASHES} runs and a dead letter, found {len(calls)} and {told(letter)}; the job is {state}",
            [*scene.marks, *scene.poison.seen(stage)], costs="One bad job takes all workers down, one after the other.",
        )  # fmt: skip
    return f"{len(calls)} runs, each of which its worker did not survive; then parked: {letter['reason'][:60]}"


def check_frozen_worker_writes_nothing(stage: Stage) -> str:
    _, scene = stage.played(dying)
    if scene.why_not:
        raise Unknown(scene.why_not)
    if lost(stage, scene.job.job) > 1:
        raise Unknown("the second worker was taken for lost as well, so a third may have ended the job, and rightly: "
                      "the machine may be too busy")  # fmt: skip
    if scene.ended_by_first or scene.state != "succeeded":
        difference = f"the job's end was recorded while its new worker was at work; it is {scene.state}"
        seen = [*scene.marks, *scene.job.seen(stage)]
        raise broken(
            stage, "a worker was frozen in the middle of a report, lost it to another, and woke",
            "Who has lost a job writes nothing more for it: each claim has a newer fencing token than the last.",
            f"expected the second worker to end it, found {difference}" if scene.ended_by_first else difference, seen,
            costs="Two workers write over each other, and the later one is the one that was out of date.",
        )  # fmt: skip
    return "frozen, replaced, awake: the job was ended by its second worker"
