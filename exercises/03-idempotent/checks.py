"""Exercise 3, judged by the partner's ledger."""

from asking import Asked, email, invoice_of, payout, target_of
from play import COPIES, OVER, SOON, copies_played, killed, moved

from accepted.grade.booting import BOOT
from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown


def check_boots(stage: Stage) -> str:
    return f"four processes after {stage.boot():.1f} s"


def check_works(stage: Stage) -> str:
    one = payout(stage, "works")
    over(stage, one, "one payout, nothing going wrong", seconds=BOOT + SOON)  # its workers may just be starting
    one_effect(stage, one, "one payout, nothing going wrong")
    return f"one charge for {one.key}"


def check_new_version_new_effect(stage: Stage) -> str:
    path = f"/v1/invoices/{invoice_of(stage, 1)}"
    stimulus = f"POST {path}/email, PUT {path}, POST {path}/email"
    first = email(stage, 1)
    over(stage, first, stimulus)
    changed = stage.asked("PUT", path, {"status": "open"}, seconds=30)
    if changed.status != 202:
        raise Unknown(f"the invoice was to change, and PUT {path} was answered with {changed}")
    second = email(stage, 1)
    over(stage, second, stimulus)
    found = len(first.effects(stage))
    if found != 2:
        rule = "A new version of a thing is a new effect."
        raise broken(
            stage, first, stimulus, rule, f"expected two mails, for {first.key} and {second.key}, found {found}"
        )
    return f"a mail each for {first.key} and {second.key}"


def check_key_is_stable(stage: Stage) -> str:
    stage.play({"match": {"op": "charge"}, "calls": [1], "do": {"status": 503}})
    one = payout(stage, "stable")
    stimulus = "the provider answered the first call for a payout with 503, and the next as usual"
    stage.until(lambda: stage.state(one.job) in OVER, SOON)
    calls = stage.ledger(kind="charge", after=one.seq)["calls"]
    if not calls:
        raise Unknown(f"the payout was to be tried, and the provider saw no call within {SOON:g} s")
    keys = [call["idempotency_key"] for call in calls]
    others = [call["idempotency_key"] for call in stage.ledger(kind="charge")["calls"] if call["seq"] <= one.seq]
    if None in keys or len(set(keys)) > 1 or keys[0] in others:
        rule = "Every attempt at one payout sends the same Idempotency-Key; another payout sends another."
        raise broken(
            stage, one, stimulus, rule, f"expected one key in {len(keys)} calls, found {', '.join(map(str, keys))}"
        )
    if len(keys) < 2 and (state := stage.state(one.job)) not in OVER:
        raise Unknown(f"the payout was to be tried again within {SOON:g} s; it is {state or 'not to be found'}")
    return f"{len(keys)} call(s), each with Idempotency-Key {keys[0]}"


def check_messages_wait(stage: Stage) -> str:
    scene = stage.played(copies_played)
    return f"{len(scene.asked)} messages copied while no worker ran"


def check_twenty_copies(stage: Stage) -> str:
    scene = stage.played(copies_played)
    stimulus = f"the messages of a payout and of an e-mail were delivered {COPIES} times each, to four workers at once"
    for name in ("payout", "email"):
        has_come(stage, scene.asked[name])
        one_effect(stage, scene.asked[name], stimulus, marks=scene.marks)
    return f"{COPIES} copies of each: one charge, one mail"


def check_rollback_leaves_nothing(stage: Stage) -> str:
    scene = stage.played(copies_played)
    one = scene.asked["rollback"]
    stimulus = "two copies of a payout's message at once; the provider answered the first call with 503"
    if not any(call["status"] == 503 for call in stage.ledger(kind="charge", after=one.seq)["calls"]):
        raise Unknown("the provider was to refuse a call for this payout's reference, and saw none")
    rule = "An effect and the record of it stand together or fall together: whoever finds no effect does it."
    over(stage, one, stimulus, rule, scene.marks)
    one_effect(stage, one, stimulus, rule, scene.marks)
    charge = one.effects(stage)[0]["id"]
    find = "SELECT provider_id FROM payouts WHERE tenant_id || ':payout:' || reference || ':1' = %s"
    bare = "SELECT count(*) FROM effects WHERE receipt = '{}' AND natural_key = %s"
    kept, half = stage.value(find, one.key), stage.value(bare, one.key)
    if kept != charge or half:
        found = f"payouts.provider_id is {kept}, and {half} row(s) of effects have no receipt"
        raise broken(stage, one, stimulus, rule, f"expected {charge} and no half row, found: {found}", scene.marks)
    return f"tried again, it became {charge}, which is in the books; no row without a receipt"


def check_fresh_rows(stage: Stage) -> str:
    scene = stage.played(copies_played)
    one = scene.asked["fresh"]
    has_come(stage, one, moved(stage))
    found = stage.ledger(kind="email", after=one.seq)["effects"]
    to = [effect["to"] for effect in found if effect["to"] in (one.target, moved(stage))]
    if to != [moved(stage)]:
        stimulus = "an e-mail's message waited; its customer's address changed; then the message was worked on"
        rule = "A message carries ids; whoever works on it reads the rows as they are now."
        told = ", ".join(to) or "no mail"
        raise broken(stage, one, stimulus, rule, f"expected one mail to {moved(stage)}, found {told}", scene.marks)
    return "the mail went to the new address"


def check_killed_before_the_effect(stage: Stage) -> str:
    scene = stage.played(killed)
    one = scene.asked["before"]
    stimulus = "the worker was killed while the provider had not acted yet; then the message came again"
    rule = "What is on record as done was done: no mark outlives its worker's death without the effect."
    over(stage, one, stimulus, rule, scene.marks)
    one_effect(stage, one, stimulus, rule, scene.marks)
    return "killed without an effect, delivered again: one charge"


def check_killed_after_the_effect(stage: Stage) -> str:
    scene = stage.played(killed)
    one = scene.asked["after"]
    stimulus = "the worker was killed after the provider had charged; then the message came again"
    rule = "A second try at the same thing has no second effect, whenever the first one's worker died."
    over(stage, one, stimulus, rule, scene.marks)
    one_effect(stage, one, stimulus, rule, scene.marks)
    return "killed between effect and acknowledgement, delivered again: one charge"


def over(
    stage: Stage, one: Asked, stimulus: str, rule: str = "", marks: list[Moment] | None = None, seconds: float = SOON
) -> None:
    stage.until(lambda: stage.state(one.job) in OVER, seconds)
    if (state := stage.state(one.job) or "not to be found") != "succeeded":
        difference = f"expected job {one.job[:8]} to succeed within {seconds:g} s; it is {state}"
        raise broken(stage, one, stimulus, rule or "A job that was accepted comes to a good end.", difference, marks)


def has_come(stage: Stage, one: Asked, to: str = "") -> None:
    """Raises Unknown where it has had no effect and its job is not over: the machine was slow, and nothing is shown."""
    found = {target_of(effect) for effect in stage.ledger(kind=one.kind, after=one.seq)["effects"]}
    if not found & {one.target, to} and (state := stage.state(one.job)) not in OVER:
        raise Unknown(f"the {one.kind} for {one.key} was to be made within {SOON:g} s; its job is {state or 'unseen'}")


def one_effect(stage: Stage, one: Asked, stimulus: str, rule: str = "", marks: list[Moment] | None = None) -> None:
    if (number := len(one.effects(stage))) != 1:
        rule = rule or "One natural key has one effect, however often its message is delivered."
        raise broken(stage, one, stimulus, rule, f"expected one {one.kind} for {one.key}, found {number}", marks)


def broken(
    stage: Stage, one: Asked, stimulus: str, rule: str, difference: str, marks: list[Moment] | None = None
) -> Broken:
    costs = "A customer is charged twice, gets the same mail four times, or none: queues repeat, and workers die."
    look = "shared/effects.py; make hint-3"
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=[*(marks or []), *one.seen(stage)],
                  costs=costs, look=look, logs=["worker-io"])  # fmt: skip
