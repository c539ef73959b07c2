"""A worker that freezes beyond its lease, and wakes while another is at the same job."""

import psutil

from accepted.faults.crossings import Crossing, Target
from accepted.faults.strike import owner_of
from accepted.oracle.verdict import Finding
from accepted.stack import processes
from accepted.sweep.scene import Scene
from accepted.sweep.stories import report


def frozen_worker(scene: Scene) -> None:
    """A worker freezes in the middle of a report, beyond two leases; it wakes while another is at the same report."""
    frozen: list[psutil.Process] = []

    def freeze(crossing: Crossing, port: int) -> bool:
        leaders = [psutil.Process(pid) for pid in scene.runner.pids("worker-cpu")]
        owner = owner_of(port, processes.tree(leaders))
        if owner is not None:
            processes.freeze([owner])
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
    if not window.fired.wait(60) or not frozen:
        scene.unknown = "the worker was not frozen"
        return
    slow = scene.proxies.slow_down(0.7, "worker-cpu", "store")  # so that the other is still at it
    try:
        claims = "SELECT fence >= 3 FROM jobs WHERE id = %s AND state = 'running'"
        scene.wait("another worker's claim", lambda: bool((scene.row(claims, job) or (False,))[0]), 90)
        woke = scene.row("SELECT clock_timestamp()")[0]
        frozen[0].resume()
        scene.mark(f"worker {frozen[0].pid} wakes")
        scene.stage.client.drained(scene.asked, 90, give_up=lambda: _overwritten(scene, job, woke))
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
    scene.stage.client.drained(scene.asked, 90)
    scene.stage.settle()
    return [one.name for one in window.shown() if one.service == "store" and one.name.startswith("PUT ")]
