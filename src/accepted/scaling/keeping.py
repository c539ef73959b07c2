"""What a load run with an autoscaler writes down beside its other figures: replicas.json."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate, pairwise
from typing import Any

from accepted.load.account import Row
from accepted.scaling.outside import Watch
from accepted.stack.run import Stack


def watching(stack: Stack, settings: Mapping[str, str]) -> AbstractContextManager[Watch | None]:
    """A watch where a scenario's settings let workers come and go; where they don't, each look would be load itself."""
    return Watch(lambda: stack.runner) if settings.get("AUTOSCALE") == "local" else nullcontext()


def replicas(watch: Watch, settings: Mapping[str, str], rows: Sequence[Row], zero: float) -> dict[str, Any]:
    """`counts`: (seconds since zero, replicas of worker-io), at each change. Floors, caps and slots are those of the
    pool `io`: a scenario that scales keeps the other pool at its floor."""
    floor, slots = int(settings["IO_FLOOR"]), int(settings["IO_SLOTS"])
    counts = [(round(at - zero, 3), n + floor) for at, n in watch.changes(zero)]
    return {
        "schema": "replicas/v1",
        "house": {
            "floor": floor, "cap": int(settings["IO_CAP"]), "slots": slots,
            "boot": round(boot(watch, rows, floor, slots), 3), "tick": float(settings["AUTOSCALE_TICK"]),
        },
        "limits": {
            "floor": floor, "cap": int(settings["IO_CAP"]), "slots": slots, "age": float(settings["AUTOSCALE_AGE"]),
            "cooldown": float(settings["AUTOSCALE_COOLDOWN"]), "step": float(settings["AUTOSCALE_STEP"]),
        },
        "counts": counts or [(0.0, floor)],
    }  # fmt: skip


def boot(watch: Watch, rows: Sequence[Row], floor: int, slots: int) -> float:
    """Seconds from when a replica was first seen to a job that had no slot without it: the median, since one that is
    started while little waits gets its first job late, however soon it was ready. Only of the first rise: as soon as
    some have gone, it can't be told who is at work. 0 where nobody was needed."""
    counts = [n for _, n in watch.counts]
    peak = next((max(counts[: k + 1]) for k, (n, after) in enumerate(pairwise(counts)) if after < n), len(watch.known))
    ran = [(row.t_start, row.t_over) for row in rows if row.t_start is not None and row.t_over is not None]
    moves = sorted([(begun, 1) for begun, _ in ran] + [(over, -1) for _, over in ran])
    took = []
    for before, born in enumerate(sorted(watch.known.values())[:peak], floor):
        at_work = zip((at for at, _ in moves), accumulate(change for _, change in moves), strict=True)
        first = next((at for at, running in at_work if at > born and running > before * slots), None)
        took += [] if first is None else [first - born]
    return statistics.median(took) if took else 0.0
