"""Servers that die and lines that fall silent, under load."""

from accepted.stack import processes
from accepted.sweep.scene import Scene

CUT = 10.0  # s


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
