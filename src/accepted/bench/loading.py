"""The bench's side of the load generator: what to send, and whether the answers may be counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accepted.bench.aside import Aside
from accepted.bench.measure import Invalid, percentile
from accepted.stack.runner import Runner

CLIENTS = 32


@dataclass(frozen=True)
class Answers:
    """Latencies (ms) by label, answers per second, and the generator's share of one core (0 to 1)."""

    latencies: dict[str, list[float]]
    rate: float
    generator: float

    def p95(self, label: str) -> float:
        return percentile(self.latencies.get(label, []), 0.95)


def load(
    runner: Runner, port: int, requests: Sequence[dict[str, Any]], *, seconds: float, warm_up: float = 0.5,
    rate: float | None = None, connections: int = CLIENTS, expect: dict[str, str],
) -> Answers:  # fmt: skip
    """Sends for so many seconds: closed loop, or `rate` requests/s in open loop.

    `expect`: the one status each label must be answered with. Raises Invalid for any other, and for any error.
    """
    spec = {
        "port": port, "requests": list(requests), "seconds": seconds, "warm_up": warm_up, "rate": rate,
        "connections": connections,
    }  # fmt: skip
    with Aside(runner, "http_load", spec) as aside:
        return judged(aside.hear(seconds + warm_up + 20), expect)


def judged(told: dict[str, Any], expect: dict[str, str]) -> Answers:
    """What the generator reports, if it may be counted."""
    wrong = {
        status: n for status, n in told["statuses"].items() if status not in {f"{k} {v}" for k, v in expect.items()}
    }
    if wrong or told["errors"]:
        raise Invalid(
            f"{told['errors']} requests failed, and there were other answers than expected: {wrong or 'none'}"
        )
    counted = sum(told["statuses"].values())
    if not counted or any(not told["latencies"].get(label) for label in expect):
        raise Invalid("no answer was counted")
    return Answers(told["latencies"], counted / told["seconds"], told["cpu"] / told["seconds"])
