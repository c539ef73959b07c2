"""Out of order: what must not overtake within an account, and versions that must not go back for a subscriber."""

from collections import defaultdict
from collections.abc import Iterator

from accepted.oracle.history import History
from accepted.oracle.verdict import Finding


def payouts(history: History) -> Iterator[Finding]:
    """Charges of one account come in the order in which they were accepted; who was parked holds up nobody."""
    jobs = {job.key: job for job in history.jobs if job.kind == "payout.send"}
    parked = {event.job for event in history.events if event.state == "failed"}
    first: dict[str, int] = {}
    for effect in sorted(history.effects, key=lambda one: one.seq):
        if effect.kind == "charge" and effect.key in jobs:
            first.setdefault(effect.key, effect.seq)
    accounts: defaultdict[str, list[str]] = defaultdict(list)
    for key in first:  # in the ledger's order
        if jobs[key].aggregate:
            accounts[jobs[key].aggregate].append(key)
    for keys in accounts.values():
        highest = None
        for key in keys:
            if highest is not None and jobs[key].seq < jobs[highest].seq and jobs[key].id not in parked:
                yield Finding("out of order", key, f"charged after {highest}, which was accepted later")
            if highest is None or jobs[key].seq > jobs[highest].seq:
                highest = key


def webhooks(history: History) -> Iterator[Finding]:
    """A subscriber never hears of a version of an invoice after it has heard of a newer one."""
    newest: dict[tuple[str, str, str], int] = {}
    for effect in sorted(history.effects, key=lambda one: one.seq):
        parts = effect.key.split(":")
        if effect.kind != "webhook" or len(parts) != 6 or not parts[4].isdigit():
            continue
        about, version = (parts[0], parts[2], parts[3]), int(parts[4])
        if version < newest.get(about, version):
            yield Finding("out of order", effect.key, f"told after version {newest[about]} of the same invoice")
        newest[about] = max(version, newest.get(about, version))
