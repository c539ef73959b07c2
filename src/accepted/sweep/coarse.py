"""The coarse faults: servers that die, lines that fall silent, workers that freeze, a second client on the broker."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import psutil
import psycopg

from accepted.bench import work_rows
from accepted.faults.crossings import Crossing, Target
from accepted.faults.strike import kill_at, kill_now, owner_of
from accepted.oracle.history import Asked
from accepted.oracle.verdict import Finding, Verdict
from accepted.stack import processes
from accepted.sweep import second_client
from accepted.sweep.cases import Result
from accepted.sweep.scene import Scene
from accepted.sweep.stage import Stage
from accepted.sweep.stories import Request, payout, report

SIZES = {"IO_SLOTS": "2", "CPU_SLOTS": "2", "NOOPS": "1", "WEB_WORKERS": "2"}
CUT = 10.0  # s
AT_FULL_SPEED = ("long queue",)
BACKLOG, LEASES, AT_MOST = 10_000, 10, 1.1


def run(
    tree: Path, backend: str, seed: int, only: Sequence[str], tell: Callable[[Result], None],
    scale: Mapping[str, int] | None = None,
) -> None:  # fmt: skip
    """All of them (or those whose `coarse/name` is in `only`) on one stage, one after the other."""
    wanted = [name for name in FAULTS if (not only or "coarse" in only or f"coarse/{name}" in only)]
    proxied = [name for name in wanted if name not in AT_FULL_SPEED]
    if proxied:
        with Stage(tree, backend, seed, env=SIZES, scale=scale or {"relay": 2}) as stage:
            for name in proxied:
                tell(_one(stage, name, Random(f"{seed}/{name}")))
    if len(wanted) > len(proxied):
        with Stage(tree, backend, seed, env=SIZES, watch=False, proxied=False) as stage:
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


def broker_wiped(scene: Scene) -> None:
    """The broker dies under load and comes back empty."""
    with scene.load():
        scene.mark("broker killed and wiped")
        scene.broker.wipe()


def broker_restarted(scene: Scene) -> None:
    """The broker dies under load and comes back with what it had written down."""
    with scene.load():
        scene.mark("broker killed and started")
        scene.broker.restart(immediate=True)


def broker_away(scene: Scene) -> None:
    """With the broker down, every request is accepted all the same, and done later."""
    scene.broker.kill()
    scene.mark("broker killed")
    try:
        scene.ask(scene.some(6), strict=True)
    finally:
        scene.broker.launch()
        scene.broker.ready()
        scene.mark("broker is back")


def postgres_restarted(scene: Scene) -> None:
    """Postgres dies at once under load."""
    with scene.load():
        scene.mark("postgres killed and started")
        scene.stack.postgres.restart(immediate=True)


def lines_cut(scene: Scene) -> None:
    """Every connection is reset, three times."""
    with scene.load():
        for _ in range(3):
            scene.mark(f"{scene.proxies.cut()} connections reset")
            processes.until(lambda: False, scene.rng.uniform(0.2, 0.6))


def network_silent(scene: Scene) -> None:
    """Relay and workers are cut off for ten seconds, and nobody is told: both ends believe in their connections."""
    with scene.load():
        scene.mark("lines of relay and workers fall silent")
        ends = [scene.proxies.silence(name) for name in ("relay", "worker-io", "worker-cpu")]
        processes.until(lambda: False, CUT)
        for end in ends:
            end()
        scene.mark("lines are back")


def frozen_worker(scene: Scene) -> None:
    """A worker freezes in the middle of a report, beyond two leases; it wakes while another is at the same report."""
    frozen: list[psutil.Process] = []

    def freeze(crossing: Crossing, port: int) -> bool:
        leaders = [psutil.Process(pid) for pid in scene.runner.pids("worker-cpu")]
        owner = owner_of(port, processes.tree(leaders))
        if owner is not None:
            owner.suspend()
            frozen.append(owner)
            scene.mark(f"worker {owner.pid} frozen at {crossing}")
        return True

    name = next((one for one in _uploads(scene)), None)
    if name is None:
        scene.unknown = "no clean run uploads a part"
        return
    window = scene.proxies.open(Target("worker-cpu", "store", name, 1, "before"), freeze)
    scene.ask([report(scene.stage.objects)])
    job = scene.asked[-1].job
    if not window.fired.wait(15) or not frozen:
        scene.unknown = "the worker was not frozen"
        return
    slow = scene.proxies.slow_down(0.7, "worker-cpu", "store")  # so that the other is still at it
    try:
        claims = "SELECT fence >= 3 FROM jobs WHERE id = %s AND state = 'running'"
        scene.wait("another worker's claim", lambda: bool((scene.row(claims, job) or (False,))[0]), 20 * scene.lease)
        woke = scene.row("SELECT clock_timestamp()")[0]
        frozen[0].resume()
        scene.mark(f"worker {frozen[0].pid} wakes")
        scene.stage.client.drained(scene.asked, 30, give_up=lambda: _overwritten(scene, job, woke))
    finally:
        frozen[0].resume()
        slow()


_STALE = """
SELECT s.name, s.fence, j.fence FROM job_steps s JOIN jobs j ON j.id = s.job_id
WHERE j.id = %s AND s.fence < j.fence AND s.finished_at > %s LIMIT 1
"""


def _overwritten(scene: Scene, job: str | None, woke: object) -> bool:
    """Looked at again and again while the two are at it: the other's own step soon covers the traces."""
    if not (found := scene.row(_STALE, job, woke)):
        return False
    how = f"step {found[0]} was written under token {found[1]} when {found[2]} was the newest"
    scene.mark(how)
    scene.findings.append(Finding("illegal", str(job), how))
    return True


def _uploads(scene: Scene) -> list[str]:
    """What a part's upload is called here, from a clean run."""
    window = scene.proxies.open()
    scene.ask([report(scene.stage.objects)])
    scene.stage.client.drained(scene.asked, 30)
    scene.stage.settle()
    return [one.name for one in window.shown() if one.service == "store" and one.name.startswith("PUT ")]


def stumbling_payouts(scene: Scene) -> None:
    """Payouts of one account, of which every other fails at first: those behind must wait."""
    objects = scene.stage.objects
    scene.ask([payout(objects, objects.accounts[0], stumble=n % 2 == 0) for n in range(8)])
    scene.mark("four of eight payouts failed at their first attempt")


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


def scheduler_killed(scene: Scene) -> None:
    """A worker dies, and the scheduler, who would notice, dies with it."""
    with scene.load():
        scene.runner.stop("scheduler", grace=0)
        scene.mark("scheduler killed, and kept down for two leases")
        done = kill_now(scene.runner, "worker-io", "tree", time.time())
        scene.mark(f"worker-io killed {done.pids}")
        processes.until(lambda: False, 2 * scene.lease)
        scene.runner.start("scheduler")
        scene.mark("scheduler is back")


def second_broker_client(scene: Scene) -> None:
    """Messages come twice and in the wrong order, because a second client of the broker put them there."""
    scene.runner.stop("worker-io")
    try:
        scene.ask([payout(scene.stage.objects, stumble=False) for _ in range(8)])
        queued = second_client.of(scene.stack.addresses.broker, scene.stage.backend, "payouts")
        if scene.wait("eight messages on the broker", lambda: queued.depth() >= 8, 15):
            scene.mark(f"{queued.shuffle(copies=3)} messages put back: in reverse, three times each")
    finally:
        scene.runner.start("worker-io")


def long_queue(scene: Scene) -> None:
    """Ten thousand jobs wait for ten leases and more: none is taken for lost while it waits."""
    waiting = "SELECT count(*) FROM jobs WHERE kind = 'noop' AND state = 'queued'"
    counts = "SELECT count(*), sum(deliveries), (SELECT count(*) FROM outbox WHERE kind = 'noop') FROM jobs"
    patience = (LEASES + 4) * scene.lease
    with psycopg.connect(scene.stage.where.database, autocommit=True) as connection:
        work_rows.accept(connection, BACKLOG)
        scene.mark(f"{BACKLOG:,} jobs accepted")
        began = time.monotonic()
        scene.wait("ten leases", lambda: time.monotonic() - began > patience, patience + 5)
        left = int((connection.execute(waiting).fetchone() or (0,))[0])
        jobs, delivered, messages = connection.execute(f"{counts} WHERE kind = 'noop'").fetchone() or (1, 0, 0)
    if not left:
        scene.unknown = f"{BACKLOG:,} jobs were done before {LEASES} leases were over"
    # What was published is what will be delivered, now or when its turn has come.
    each = max(int(delivered), int(messages)) / int(jobs)
    scene.mark(f"{left:,} still wait after {patience / scene.lease:.0f} leases; {each:.3f} messages a job")
    if each > AT_MOST:
        how = f"{each:.2f} messages each, {AT_MOST} are allowed"
        scene.findings.append(Finding("duplicate", f"{BACKLOG:,} queued jobs", how))


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
    scene.stage.client.drained(scene.asked, 40)
    scene.proxies.open()
    state, delivered = scene.row("SELECT state, deliveries FROM jobs WHERE id = %s", asked.job) or ("?", 0)
    kills = len(scene.marks)
    if state != "failed":
        how = f"its worker was killed {kills} times, and it is {state} after {delivered} counted deliveries"
        scene.findings.append(Finding("stuck", asked.key, how))


FAULTS: Mapping[str, Callable[[Scene], None]] = {
    "broker wiped": broker_wiped,
    "broker restarted": broker_restarted,
    "broker away": broker_away,
    "postgres restarted": postgres_restarted,
    "lines cut": lines_cut,
    "network silent": network_silent,
    "frozen worker": frozen_worker,
    "stumbling payouts": stumbling_payouts,
    "two relays": two_relays,
    "deploy": deploy,
    "scheduler killed": scheduler_killed,
    "second broker client": second_broker_client,
    "poison": poison,
    "long queue": long_queue,
}
