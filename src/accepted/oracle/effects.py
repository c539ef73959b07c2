"""Lost, duplicate, phantom: how many effects each key had, by the kind's own meaning of one effect."""

from collections import Counter
from collections.abc import Iterator, Mapping

from accepted.oracle.history import EffectKind, History, Job
from accepted.oracle.verdict import Finding

# The kinds whose effect the partner sees, by the name under which its ledger has it.
WITNESSED: Mapping[str, EffectKind] = {"payout.send": "charge", "email.send": "email", "webhook.deliver": "webhook"}
_SHOWN = {"charge": "charges by its reference", "email": "mails by its reference", "webhook": "times acted on"}


def counts(history: History) -> Counter[tuple[EffectKind, str]]:
    """Effects by kind and key. A webhook's key names its subscriber, and its receiver has de-duplicated."""
    return Counter((one.kind, one.key) for one in history.effects)


def duplicates(history: History) -> Iterator[Finding]:
    for (kind, key), number in counts(history).items():
        if number > 1:
            yield Finding("duplicate", key, f"{number} {_SHOWN[kind]}")


def phantoms(history: History) -> Iterator[Finding]:
    """Effects whose key no client asked for. A delivery was asked for by the event that it tells of."""
    asked = {(WITNESSED[one.kind], one.key) for one in history.asked if one.kind in WITNESSED}
    events = {tuple(one.key.split(":")) for one in history.asked if one.kind == "webhook.fanout"}
    for kind, key in counts(history):
        if (kind, key) in asked:
            continue
        if kind == "webhook":
            # T:webhook:SUBSCRIBER:INVOICE:VERSION:TYPE belongs to T:fanout:INVOICE:VERSION:TYPE
            parts = key.split(":")
            if len(parts) == 6 and (parts[0], "fanout", *parts[3:]) in events:
                continue
        yield Finding("phantom", key, f"a {kind} that nobody asked for")


def lost(history: History) -> Iterator[Finding]:
    """After a drain: accepted, and no effect."""
    jobs = {job.id: job for job in history.jobs}
    found = counts(history)
    for one in history.asked:
        if one.job is None or one.expect != "one":
            continue
        job = jobs.get(one.job)
        if job is None:
            yield Finding("lost", one.key, f"it was accepted as job {one.job}, which is not there any more")
        elif why := _without_effect(job, found, history):
            yield Finding("lost", one.key, why)
    for child in history.jobs:
        if child.parent is not None and (why := _without_effect(child, found, history)):
            yield Finding("lost", child.key, why)


def _without_effect(job: Job, found: Counter[tuple[EffectKind, str]], history: History) -> str | None:
    result = job.result or {}
    if job.state == "cancelled" or result.keys() & {"superseded_by", "skipped"}:
        return None
    if job.state != "succeeded":
        return f"its job ended as {job.state}"
    if job.kind in WITNESSED:
        return None if found[WITNESSED[job.kind], job.key] else "its job succeeded, and the partner knows nothing of it"
    if job.kind == "report.export":
        mine = [one for one in history.artifacts if one.job == job.id]
        if not mine or mine[0].pointer is None:
            return "its job succeeded, and its report points nowhere"
        return None if mine[0].exists else f"the store has no object {mine[0].pointer}"
    if job.kind == "webhook.fanout":
        children = sum(one.parent == job.id for one in history.jobs)
        wanted = int(result.get("children", 0))
        return None if children == wanted else f"{children} deliveries for {wanted} subscribers"
    return None
