"""Messages that come twice, in the wrong order, or after a long wait."""

import time

import psycopg

from accepted.bench import work_rows
from accepted.oracle.verdict import Finding
from accepted.sweep import second_client
from accepted.sweep.scene import Scene
from accepted.sweep.stories import payout

BACKLOG, LEASES, AT_MOST = 10_000, 10, 1.1


def stumbling_payouts(scene: Scene) -> None:
    """Payouts of one account, of which every other fails at first: those behind must wait."""
    objects = scene.stage.objects
    scene.ask([payout(objects, objects.accounts[0], stumble=n % 2 == 0) for n in range(8)])
    scene.mark("four of eight payouts failed at their first attempt")


def second_broker_client(scene: Scene) -> None:
    """Messages come twice and in the wrong order, because a second client of the broker put them there."""
    scene.runner.stop("worker-io")
    try:
        scene.ask([payout(scene.stage.objects, stumble=False) for _ in range(8)])
        queued = second_client.of(scene.stack.addresses.broker, scene.stage.backend, "payouts")
        if scene.wait("eight messages on the broker", lambda: queued.depth() >= 8, 60):
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
