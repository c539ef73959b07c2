"""No-op jobs by the library alone, and by the system with every guarantee: one after the other, four workers each."""

from pathlib import Path
from typing import Any

import psycopg

from accepted.bench.beside import WORKERS, raw_sides
from accepted.bench.measure import Invalid
from accepted.bench.noops import SYSTEM, System, alone
from accepted.compare.slowed import Slowed
from accepted.stack.run import Stack

GUARDED, BARE = 200, 600  # jobs: one to three seconds of work for each


def layer(tree: Path, backend: str, slower: float, turned: bool) -> dict[str, Any]:
    """Jobs/s of both on a stack of their own; `turned`: the bare library first. `invalid` says why there is none."""
    with (
        Stack(
            tree, backend=backend, processes=SYSTEM, seed="tiny", env={"IO_SLOTS": str(WORKERS)}, seconds=120
        ) as stack,
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection,
    ):
        raw = raw_sides(stack)
        guarded = System(stack.runner, connection, GUARDED)
        sides = (guarded, raw[0])  # the library's own workers at the delivery that the system asks of it
        found: dict[str, Any] = {"what": raw[0].what}
        try:
            for side in reversed(sides) if turned else sides:
                alone(side, [guarded, *raw], stack.runner)
                with Slowed(stack, slower):
                    found[side.name] = round(side.rate(GUARDED if side is guarded else BARE), 2)
        except Invalid as invalid:
            return {"invalid": str(invalid)}
        finally:
            for each in raw:
                each.close()
    return found
