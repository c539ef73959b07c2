"""The coarse faults: servers that die, lines that fall silent, workers that freeze, a second client on the broker."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from accepted.oracle.verdict import Verdict
from accepted.sweep import frozen, messages, servers, workers
from accepted.sweep.cases import Result
from accepted.sweep.scene import Scene
from accepted.sweep.stage import AT_ONCE, Stage

SIZES = {"IO_SLOTS": "2", "CPU_SLOTS": "2", "NOOPS": "1", "WEB_WORKERS": "2", **AT_ONCE}
AT_FULL_SPEED = ("long queue",)


def run(
    tree: Path, backend: str, seed: int, only: Sequence[str], tell: Callable[[Result], None],
    scale: Mapping[str, int] | None = None, env: Mapping[str, str] | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> None:  # fmt: skip
    """All of them (or those whose `coarse/name` is in `only`) on one stage, one after the other, until `enough`."""
    wanted = [name for name in FAULTS if (not only or "coarse" in only or f"coarse/{name}" in only)]
    proxied = [name for name in wanted if name not in AT_FULL_SPEED]
    left = list(proxied)
    while left and not enough():
        with Stage(tree, backend, seed, env={**SIZES, **(env or {})}, scale=scale or {"relay": 2}) as stage:
            held = True
            while left and held and not enough():  # what a fault that did not hold left behind is not the next one's
                name = left.pop(0)
                tell(result := _one(stage, name, Random(f"{seed}/{name}")))
                held = result.outcome == "pass"
    if enough():
        return
    if len(wanted) > len(proxied):
        with Stage(tree, backend, seed, env={**SIZES, **(env or {})}, proxied=False) as stage:
            for name in AT_FULL_SPEED:
                tell(_one(stage, name, Random(f"{seed}/{name}")))


def _one(stage: Stage, name: str, rng: Random) -> Result:
    began = time.monotonic()
    scene = Scene(stage, rng)
    scene.begin()
    try:
        FAULTS[name](scene)
        verdict, history = scene.close(name)
    except Exception as error:  # the case could not be played to its end: nothing is known
        why = Verdict(tuple(scene.findings), f"{type(error).__name__}: {error}")
        return Result(f"coarse/{name}", "coarse", name, why, time.monotonic() - began, marks=tuple(scene.marks))
    kept = verdict.outcome != "pass"
    return Result(
        f"coarse/{name}", "coarse", name, verdict, time.monotonic() - began, killed=bool(scene.marks),
        history=history if kept else None, marks=tuple(scene.marks),
        crossings=tuple(scene.proxies.window.shown()[-4000:]) if kept else (),
    )  # fmt: skip


FAULTS: Mapping[str, Callable[[Scene], None]] = {
    "broker wiped": servers.broker_wiped,
    "broker restarted": servers.broker_restarted,
    "broker away": servers.broker_away,
    "postgres restarted": servers.postgres_restarted,
    "lines cut": servers.lines_cut,
    "network silent": servers.network_silent,
    "frozen worker": frozen.frozen_worker,
    "stumbling payouts": messages.stumbling_payouts,
    "two relays": workers.two_relays,
    "deploy": workers.deploy,
    "scheduler killed": workers.scheduler_killed,
    "clocks apart": workers.clocks_apart,
    "second broker client": messages.second_broker_client,
    "poison": workers.poison,
    "long queue": messages.long_queue,
}
