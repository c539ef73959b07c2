"""Out of order: what must not overtake within an account, and versions that must not go back for a subscriber."""

from collections.abc import Iterator

from accepted.oracle.history import History
from accepted.oracle.verdict import Finding


def payouts(history: History) -> Iterator[Finding]:
    """Effects of one group come in the order in which they were asked for; who was parked holds up nobody."""
    place = {one.key: (n, one) for n, one in enumerate(history.asked) if one.group is not None}
    parked = {event.job for event in history.events if event.state == "failed"}
    highest: dict[str | None, tuple[int, str]] = {}
    seen: set[str] = set()
    for effect in sorted(history.effects, key=lambda one: one.seq):
        if effect.key not in place or effect.key in seen:
            continue
        seen.add(effect.key)
        n, asked = place[effect.key]
        last = highest.get(asked.group)
        if last is not None and n < last[0] and asked.job not in parked:
            yield Finding("out of order", effect.key, f"it came after {last[1]}, which was accepted later")
        if last is None or n > last[0]:
            highest[asked.group] = (n, effect.key)


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
