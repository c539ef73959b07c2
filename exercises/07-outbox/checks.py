"""Exercise 7, judged by the raw broker and the partner's ledger."""

import math

from asking import Asked, Scene, booted, drained, email, is_of
from away import AWAY, FIRST, lose_another, outage
from finding import all_seen, delivered, finished, once, report
from play import GHOST, carried_again, carried_thrice, killed_relays, waits, works
from points import RELAY, RELAYS
from scenes import Waiting

from accepted.grade.keys import asked_by_natural_key
from accepted.grade.stage import TENANT, Stage
from accepted.grade.verdict import Unknown

UNKNOWN_KIND = """
WITH job AS (
    INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)
    SELECT id, %s, 'fax.send', 'acme:fax:' || id || ':1', '{}', 'acme:fax:' || id, 1, md5(id::text), ''
    FROM gen_random_uuid() AS fresh(id) RETURNING id, tenant_id, kind, aggregate, seq
), told AS (
    INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)
    SELECT id, 1, tenant_id, 'queued', 0, '' FROM job
)
INSERT INTO outbox (job_id, kind, aggregate, seq) SELECT id, kind, aggregate, seq FROM job RETURNING job_id::text
"""


def check_boots(stage: Stage) -> str:
    took = stage.played(booted)
    return f"web, two relays, worker-io and scheduler after {took:.1f} s"


def check_works(stage: Stage) -> str:
    scene = stage.played(works)
    told = ("one payout, nothing going wrong", "What is accepted is done, once.")
    finished(stage, scene, scene.asked, *told, logs=RELAYS)
    asked_by_natural_key(stage, scene.asked[0].answer)
    once(stage, scene, scene.asked, *told, seq=0, logs=RELAYS)
    return f"one charge for {scene.asked[0].key}"


def check_no_ghost(stage: Stage) -> str:
    scene = stage.played(waits)
    stimulus = "a payout's transaction was made to fail as it commits; no worker ran; what lay on the broker was read"
    rule = "What was rolled back was never heard of: no promise to the user, no message to a worker."
    ghost = scene.ghost
    if ghost is None or ghost.accepted:
        difference = f"expected no promise, found {ghost.answer if ghost else 'nothing'}"
        raise report(stage, scene, stimulus, rule, difference, ghost=True)
    wanted = all_seen(scene)
    real = {str(row) for row in stage.value("SELECT coalesce(array_agg(id::text), '{}') FROM jobs")}
    ghosts = [named for named in scene.messages if not named & real]
    if ghosts and len(scene.messages) > len(wanted):
        named = ", ".join(sorted(one for named in ghosts for one in named)[:2]) or "no job at all"
        difference = (
            f"expected messages for the {len(wanted)} payouts that were accepted, found {len(scene.messages)}; "
            f"{len(ghosts)} of them for a job that does not exist ({named})"
        )
        raise report(stage, scene, stimulus, rule, difference, ghost=True)
    charges = stage.ledger(kind="charge")["effects"]
    if charged := [one for one in charges if f":{GHOST}" in f"{one['key']} {one['idempotency_key']}"]:
        raise report(stage, scene, stimulus, rule, f"expected no charge, found {charged[0]['id']}", ghost=True)
    return f"rolled back as it committed: no row, and none of {len(scene.messages)} messages is about it"


def check_two_relays(stage: Stage) -> str:
    """Two rounds of three: whoever dies or stalls may publish once more, and two relays may miss one another."""
    scene = stage.played(waits)
    rounds = [messages_of(scene), messages_of(stage.played(carried_again))]
    if most_twice(rounds[0]) != most_twice(rounds[1]):
        rounds.append(messages_of(stage.played(carried_thrice)))
    wanted, found = all_seen(scene), [one for one in rounds if most_twice(one)]
    if len(found) >= 2:
        told = ", ".join(f"{key}: {number}" for each in found for key, number in each.items())
        raise report(
            stage, scene,
            f"twice {len(wanted)} payouts, accepted while both relays stood still; then these went on, on a slow line",
            "A row is one relay's at a time: the others leave it alone until that one is done with it, or dead.",
            f"expected a message each, found {told}",
        )  # fmt: skip
    messages = sum(sum(each.values()) for each in rounds)
    return f"two relays on a slow line, {len(rounds)} times {len(wanted)} payouts, {messages} messages"


def messages_of(scene: Waiting) -> dict[str, int]:
    return {one.key: sum(one.job in named for named in scene.messages) for one in all_seen(scene)}


def most_twice(found: dict[str, int]) -> bool:
    return 2 * sum(number > 1 for number in found.values()) > len(found)


def check_accepts_without_a_broker(stage: Stage) -> str:
    scene = stage.played(outage)
    stimulus = "the broker was killed; then users asked for a payout and two e-mails"
    if refused := [one for one in scene.asked if not one.accepted]:
        rule = "Whether the broker is there is no concern of whoever accepts: 202, all the same."
        difference = f"expected {len(scene.asked)} times 202 within {AWAY:g} s, found {refused[0].answer}"
        raise report(stage, scene, stimulus, rule, difference, logs=("web",))
    slowest = max(one.answer.ms for one in scene.asked)
    return f"{len(scene.asked)} times 202 while the broker was dead, the slowest in {slowest:.0f} ms"


def check_delivered_later(stage: Stage) -> str:
    scene = stage.played(outage)
    stimulus = "a payout and two e-mails were accepted while the broker was dead; then it came back, empty"
    rule = "What was accepted is published as soon as the broker takes it: until it has said so, the row stays."
    delivered(stage, scene, scene.asked, stimulus, rule)
    return f"accepted without a broker, done with one: {len(scene.asked)}, once each"


def check_killed_after_the_commit(stage: Stage) -> str:
    scene = stage.played(outage)
    if scene.caught is None:
        raise Unknown("a payout was to be committed while the broker hangs, and no row was seen within 5 s")
    stimulus = "the broker hung; a payout's request had committed; its web process was killed"
    rule = "The promise to publish is in the transaction: between commit and message there is nothing to lose."
    delivered(stage, scene, [scene.caught], stimulus, rule, logs=("web", "relay.1"))
    how = "its answer still to come" if scene.hung else "its answer given"
    return f"web killed with the payout committed, {how}: charged once"


def check_killed_relays(stage: Stage) -> str:
    scene = stage.played(killed_relays)
    if scene.killed < 2:
        raise Unknown(f"relays were to be killed while they carry messages; {scene.killed} was")
    stimulus = f"SIGKILL to a relay at {scene.killed} moments: before and after the message, and around its mark"
    rule = "A relay may die at any moment: what it had in hand is published again, never forgotten."
    delivered(stage, scene, scene.asked, stimulus, rule)
    if not scene.own:
        raise Unknown("relays were to be killed as they send the message itself, and none came to it in time")
    where = ", ".join(f"{number} at {name}" for name, number in scene.at.items()) or "at random moments"
    missed = f"; {len(scene.missed)} crossings came no more" if scene.missed else ""
    return f"{scene.killed} relays killed ({where}), {len(scene.asked)} mails, once each{missed}"


def check_wiped_broker(stage: Stage) -> str:
    scene, after = stage.played(waits), stage.played(outage)
    stimulus = f"{len(scene.beside)} payouts were published, none begun; then the broker lost everything"
    rule = "The broker is not the truth: what it has lost is published again from the outbox, and nobody has to call."
    both = Scene(scene.asked, [*scene.marks, *after.marks], after.due)
    delivered(stage, both, scene.beside, stimulus, rule)
    return f"{len(scene.beside)} messages lost with the broker: all charged, once each"


def check_order(stage: Stage) -> str:
    scene, after = stage.played(waits), stage.played(outage)
    wanted = [one.key for one in scene.beside]  # wiped-broker has waited for them
    charges = stage.ledger(kind="charge")["effects"]
    found = [key for each in charges for key in wanted if is_of(key, each)]
    if found != wanted:
        first = next(place for place, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b)
        raise report(
            stage, Scene(scene.beside, after.marks),
            f"{len(wanted)} payouts to one account, one after the other; the first took the provider {FIRST:g} s",
            "Payouts to one account are charged in the order in which they were accepted, whatever happens meanwhile.",
            f"expected {wanted[first]} as number {first + 1}, found {found[first]}",
        )  # fmt: skip
    if not meanwhile(stage, scene.beside[0]):
        raise Unknown("the payouts were charged in their order; but while the first was, nobody else called a partner, "
                      "so the others were not on their way yet")  # fmt: skip
    return f"{len(found)} payouts to one account, charged in their order"


def meanwhile(stage: Stage, one: Asked) -> bool:
    """Whether anybody called a partner while its first call was under way."""
    calls = stage.ledger()["calls"]
    first = next(call for call in calls if is_of(one.key, call))
    ended = first.get("ended") or math.inf
    return any(first["at"] < call["at"] < ended for call in calls if not is_of(one.key, call))


def check_lost_message(stage: Stage) -> str:
    if stage.played(waits).found_again:
        return "a message that was lost on its way was there again, with no worker running"
    one, scene = stage.played(lose_another)
    if not drained(stage, [one]) or stage.state(one.job) != "succeeded":
        raise report(
            stage, scene, "a queue's one message was taken away, as by a worker that dies before it claims",
            "A job that waits for a message that is not there any more gets another.",
            f"expected {one.key} to succeed, found it {stage.state(one.job) or 'nowhere'}",
            logs=("scheduler", "relay.1"),
        )  # fmt: skip
    return "a message that was lost on its way was published again"


def check_bad_row(stage: Stage) -> str:
    runner = stage.stack.runner
    runner.start("worker-io")  # whoever came before may have left it stopped
    runner.stop(RELAY, grace=5)  # a line that the broker's death has left them is another check's matter
    runner.start(RELAY)
    scene, seq = Scene(), stage.seq()
    bad = stage.value(UNKNOWN_KIND, TENANT)
    scene.mark(f"a row is in the outbox for job {bad[:8]}, of the kind fax.send, which nobody here knows")
    scene.add(email(stage, 50))
    scene.add(email(stage, 51))
    stimulus = "the relays began anew; a row of the outbox was of a kind that has no queue; two e-mails came after it"
    rule = "A row that can't be published is set aside: those behind it go on."
    delivered(stage, scene, scene.asked, stimulus, rule, seq=seq)
    return "two e-mails passed a row that can't be published"
