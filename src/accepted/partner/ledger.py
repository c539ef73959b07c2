"""What the partner saw: calls, deliveries and effects, in memory and in its journal."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from accepted.partner.journal import Entry, Journal

KINDS = ("charge", "email", "webhook")
FILTERS = ("kind", "key", "op", "subscriber", "worker")


class Ledger:
    """State is a fold over entries: the same `_apply` serves a fresh entry and one read back from the journal.

    - a *call* is any request to the partner proper: seq, at (epoch seconds of arrival), op, kind, key, subscriber,
      idempotency_key, traceparent, user_agent, worker; then, once over, ended, status or broke, replayed, rule;
    - a *delivery* is a webhook as it came in, duplicates and bad signatures included;
    - an *effect* is a charge made, a mail sent, or the first good delivery of a webhook-id at its subscriber.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.calls: dict[int, Entry] = {}
        self.deliveries: list[Entry] = []
        self.effects: list[Entry] = []
        self.secrets: dict[str, str] = {}
        self.charge_of: dict[str, Entry] = {}  # by idempotency key
        self._of_reference: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._taken: set[tuple[str | None, str]] = set()  # webhooks a subscriber already acted on
        self._seq = 0
        self._journal = journal
        for entry in journal.entries() if journal else ():
            self._apply(entry)
        for call in self.calls.values():
            if "ended" not in call:
                call["broke"] = "partner stopped"

    def arrive(self, **seen: Any) -> int:
        """A call came in. Returns its seq."""
        return self._record("call", status=None, broke=None, replayed=False, **seen)

    def finish(self, call: int, status: int | None, broke: str | None, **more: Any) -> None:
        """How the call ended: the status answered, or how it broke."""
        self._record("answer", call=call, status=status, broke=broke, **more)

    def effect(self, kind: str, key: str, call: int, **about: Any) -> Entry:
        """Something happened in the world that can't be taken back. Returns the effect."""
        seen = self.calls[call]
        trace = {name: seen.get(name) for name in ("idempotency_key", "worker", "traceparent")}
        self._record("effect", kind=kind, key=key, call=call, replayed=False, **(trace | about))
        return self.effects[-1]

    def delivery(self, subscriber: str, key: str, call: int, signature: str) -> bool:
        """A webhook came in. Returns whether its receiver acts on it: well signed (or unchecked) and not yet seen."""
        duplicate = (subscriber, key) in self._taken
        seen = self.calls[call]
        self._record("delivery", kind="webhook", key=key, call=call, subscriber=subscriber, signature=signature,
                     duplicate=duplicate, worker=seen.get("worker"), traceparent=seen.get("traceparent"))  # fmt: skip
        return not duplicate and signature != "bad"

    def subscribe(self, subscriber: str, secret: str) -> None:
        self._record("subscriber", subscriber=subscriber, secret=secret)

    def of_reference(self, kind: str, reference: str) -> list[Entry]:
        return self._of_reference.get((kind, reference), [])

    def listing(self, wanted: Mapping[str, str], after: int = 0) -> dict[str, list[Entry]]:
        """Calls, deliveries and effects later than seq `after` that have all `wanted` values (see FILTERS)."""

        def chosen(entries: Iterable[Entry]) -> list[Entry]:
            return [one for one in entries if one["seq"] > after and _fits(one, wanted)]

        return {
            "effects": chosen(self.effects),
            "deliveries": chosen(self.deliveries),
            "calls": chosen(self.calls.values()),
        }

    def summary(self) -> dict[str, dict[str, int]]:
        """How many effects each key had, by kind: {"charge": {key: n}, "email": …, "webhook": …}."""
        counts = {kind: Counter[str]() for kind in KINDS}
        for one in self.effects:
            counts[one["kind"]][one["key"]] += 1
        return {kind: dict(count) for kind, count in counts.items()}

    def _record(self, entry: str, **about: Any) -> int:
        line = {"entry": entry, "seq": self._seq + 1, "at": time.time(), **about}
        if self._journal:
            self._journal.append(line)  # first: what isn't in the file has not happened
        self._apply(line)
        return self._seq

    def _apply(self, line: Entry) -> None:
        self._seq = max(self._seq, line["seq"])
        what = line["entry"]
        about = {name: value for name, value in line.items() if name != "entry"}
        if what == "call":
            self.calls[line["seq"]] = about
        elif what == "answer":
            ended = {name: value for name, value in about.items() if name not in ("seq", "at", "call")}
            self.calls[line["call"]].update(ended, ended=line["at"])
        elif what == "delivery":
            self.deliveries.append(about)
        elif what == "subscriber":
            self.secrets[line["subscriber"]] = line["secret"]
        elif what == "effect":
            self.effects.append(about)
            self._of_reference[line["kind"], line["key"]].append(about)
            if line["kind"] == "charge" and line["idempotency_key"]:
                self.charge_of[line["idempotency_key"]] = about
            if line["kind"] == "webhook":
                self._taken.add((line["subscriber"], line["key"]))


def _fits(one: Entry, wanted: Mapping[str, str]) -> bool:
    for name, value in wanted.items():
        if name == "key":
            # A charge is known by our reference and by the provider's key: either finds it.
            if value not in (one.get("key"), one.get("idempotency_key")):
                return False
        elif one.get(name) != value:
            return False
    return True
