"""The faults in force, their counters, and the calls that hang because of them."""

import asyncio
from collections import Counter
from typing import Any

from accepted.partner.faults import Facts, Rule, Slot, Verdict, decide


class Script:
    """Lives in memory only: a partner that was killed comes back with its ledger and without faults."""

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._seen: Counter[Slot] = Counter()
        self._hits: Counter[int] = Counter()
        self._lifted = asyncio.Event()

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """Put these rules in force from ordinal 1 and end the calls that hang by the former ones."""
        self._rules = rules
        self._seen, self._hits = Counter(), Counter()
        self._lifted.set()
        self._lifted = asyncio.Event()

    def meet(self, facts: Facts) -> Verdict:
        verdict = decide(self._rules, self._seen, facts)
        self._seen.update(verdict.counted)
        if verdict.rule is not None:
            self._hits[verdict.rule] += 1
        return verdict

    async def hold(self, gone: asyncio.Event, limit: float) -> str:
        """Wait until the client is `gone`, the faults are lifted or `limit` seconds passed. Returns which it was."""
        waits = {
            asyncio.ensure_future(gone.wait()): "client left",
            asyncio.ensure_future(self._lifted.wait()): "released",
        }
        done, pending = await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        return waits[done.pop()] if done else "limit"

    def report(self) -> list[dict[str, Any]]:
        """The rules as given, each with `seen` (matching calls) and `hits` (calls it broke)."""
        seen: Counter[int] = Counter()
        for (number, _), count in self._seen.items():
            seen[number] += count
        return [
            rule.model_dump(exclude_defaults=True) | {"seen": seen[number], "hits": self._hits[number]}
            for number, rule in enumerate(self._rules)
        ]
