"""Processes that die, are replaced, or kill whoever comes near."""

import time
from contextlib import ExitStack

from accepted.faults.clock import skewed
from accepted.faults.crossings import Crossing, Target
from accepted.faults.strike import kill_at, kill_now
from accepted.oracle.history import Asked
from accepted.oracle.verdict import Finding
from accepted.stack import processes
from accepted.sweep.scene import Scene
from accepted.sweep.stories import Request, payout

_OLDEST = """
SELECT natural_key, state FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY accepted_at LIMIT 1
"""


def two_relays(scene: Scene) -> None:
    """Two relays share the work; one after the other is killed under load."""
    if len(scene.runner.pids("relay")) < 2:
        scene.unknown = "there are not two relays"
    with scene.load():
        for name in ("relay.1", "relay.2", "relay.1"):
            done = kill_now(scene.runner, name, "tree", time.time())
            scene.mark(f"{name} killed {done.pids}")
            processes.until(lambda: False, scene.rng.uniform(0.3, 0.8))


def deploy(scene: Scene) -> None:
    """SIGTERM to everything under load, one kind of process after the other, and a fresh one in its place."""
    with scene.load(60):
        for name in ("worker-io", "worker-cpu", "relay", "scheduler", "web"):
            scene.mark(f"SIGTERM {name}")
            scene.runner.stop(name)
            scene.runner.start(name)
            scene.runner.wait_healthy(30, name)
            scene.mark(f"{name} is new")


def clocks_apart(scene: Scene) -> None:
    """Every process has its own idea of the time, minutes off: none may decide by its own clock."""
    with ExitStack() as wrong:
        for name in ("web", "relay", "worker-io", "worker-cpu", "scheduler"):
            # The one who takes leases away is behind: ahead, it would only be too early, which is what fencing is for.
            # So far behind that the case is over before its clock would come to the end of any lease.
            ahead = name != "scheduler" and scene.rng.random() < 0.5
            seconds = -1800.0 if name == "scheduler" else scene.rng.uniform(100, 120) * (1 if ahead else -1)
            if not wrong.enter_context(skewed(scene.runner, name, seconds)):
                scene.unknown = f"{name} was not heard to read the wrong time"
            scene.mark(f"{name}'s clock is {seconds:+.0f} s off")
        with scene.load():
            _kill_at_work(scene)  # whose lease is over is not for anybody's own clock to say
        if not scene.lane.drained(scene.asked):
            key, state = scene.row(_OLDEST) or ("?", "gone")
            scene.findings.append(Finding("stuck", str(key), f"it is {state} for as long as the clocks differ"))


def _kill_at_work(scene: Scene) -> None:
    """The whole pool dies as it is about to have a payout charged, under load: a worker that is killed between two
    jobs leaves no lease behind."""

    def strike(crossing: Crossing, port: int) -> bool:
        done = kill_at(scene.runner, "worker-io", port, "tree", time.time())
        scene.mark(f"worker-io killed {done.pids} at {crossing}")
        return done.owner_alive

    window = scene.proxies.open(Target("worker-io", "partner", "POST /v:n/charges", 1, "before"), strike)
    if not window.fired.wait(60):
        scene.unknown = "no worker was killed at its work"


def scheduler_killed(scene: Scene) -> None:
    """A worker dies, and the scheduler, who would notice, dies with it."""
    with scene.load():
        scene.runner.stop("scheduler", grace=0)
        scene.mark("scheduler killed, and kept down for two leases")
        _kill_at_work(scene)
        processes.until(lambda: False, 2 * scene.lease)
        scene.runner.start("scheduler")
        scene.mark("scheduler is back")


def poison(scene: Scene) -> None:
    """A job that kills its worker each time is parked after a few, not tried for ever."""

    def strike(crossing: Crossing, port: int) -> bool:
        done = kill_at(scene.runner, "worker-io", port, "child", time.time())
        scene.mark(f"worker {done.pids} killed at {crossing}")
        return done.owner_alive

    scene.proxies.open(Target("worker-io", "partner", "POST /v:n/charges", 0, "before"), strike)
    request: Request = payout(scene.stage.objects, stumble=False)
    asked = scene.stage.client.ask(request)
    scene.asked.append(Asked(asked.kind, asked.key, asked.job, "at most one"))
    enough = 2 * int(scene.stage.env["MAX_CRASHES"])
    scene.stage.client.drained(scene.asked, 120, lambda: len(scene.marks) > enough)
    scene.proxies.open()
    state, delivered = scene.row("SELECT state, deliveries FROM jobs WHERE id = %s", asked.job) or ("?", 0)
    kills = len(scene.marks)
    if state != "failed":
        how = f"its worker was killed {kills} times, and it is {state} after {delivered} counted deliveries"
        scene.findings.append(Finding("stuck", asked.key, how))
