"""`python -m app autoscaler decide`: the law by itself, for whoever simulates. A line of JSON in, a line of JSON out.

    {"limits": {"floor": 1, "cap": 8, "slots": 4, "age": 5, "cooldown": 60, "step": 5}}
    {"now": 0.0, "replicas": 1, "seen": {"waiting": 40, "oldest": 0.5, "running": 4, "service": 0.2}}
    → {"replicas": 2, "reason": "up: 40 waiting, …"}

A line with limits begins anew and is not answered. `seen` is null where nothing could be seen.
"""

import json
from collections.abc import Iterable, Iterator

from . import law
from .core import History, Limits, Signals


def answers(lines: Iterable[str]) -> Iterator[str]:
    """Raises ValueError, KeyError, TypeError at a line that is none of these."""
    limits: Limits | None = None
    history = History()
    for line in lines:
        asked = json.loads(line)
        if "limits" in asked:
            limits, history = Limits(**asked["limits"]), History()
            continue
        if limits is None:
            raise ValueError("the first line has to tell the limits")
        seen = None if asked["seen"] is None else Signals(**asked["seen"])
        decision, history = law.wanted(seen, asked["replicas"], asked["now"], limits, history)
        yield json.dumps({"replicas": decision.replicas, "reason": decision.reason})
