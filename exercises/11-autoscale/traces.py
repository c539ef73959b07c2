"""The tree's own law on loads that nobody has to have: it is asked look by look, the queue is the grader's."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from play import AGE, CAP, COOLDOWN, FLOOR, STEP, Burst, burst

from accepted.grade.stage import Stage
from accepted.scaling import traces
from accepted.scaling.asking import Law
from accepted.scaling.course import Point
from accepted.scaling.queue import House, simulate

TIMES = 100


@dataclass
class Played:
    """`asked`: (when, replicas that there were, what could be seen, what the law answered)."""

    limits: dict[str, float]
    asked: list[tuple[float, int, dict[str, Any] | None, int]] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


LIMITS = {"floor": 1, "cap": 20, "slots": 4, "age": 5.0, "cooldown": 20.0, "step": 2.0}


def _play(
    law: Law, jobs: traces.Jobs, limits: dict[str, float], boot: float, tick: float, until: float,
    blind: tuple[float, float] | None = None,
) -> Played:  # fmt: skip
    played = Played(limits)
    law.limits(limits)

    def decide(now: float, replicas: int, seen: dict[str, Any] | None) -> int:
        answer = law(now, replicas, seen)
        played.asked.append((now, replicas, seen, answer))
        return answer

    house = House(int(limits["floor"]), int(limits["cap"]), int(limits["slots"]), boot, tick)
    played.points = simulate(jobs, decide, house, until, blind)
    return played


def law_of(stage: Stage) -> dict[str, Played]:
    """Every trace, by its name. Seeded: the same seed, the same loads."""
    scene: Burst = stage.played(burst)
    rng = Random(stage.seed)
    many = list(traces.times(scene.jobs, TIMES, rng))
    as_here = {"floor": FLOOR, "cap": CAP, "slots": TIMES, "age": AGE, "cooldown": COOLDOWN, "step": STEP}
    steady = traces.arrivals(traces.wave(145.0, 15.0, 120.0), 600.0, 2.0, rng, 160.0)  # 2.6 to 3.2 workers' work
    waves = sorted((wave + rng.random() * 5, 55 + rng.random() * 10) for wave in (0.0, 75.0) for _ in range(18))
    short = [(n * 0.02, 0.5) for n in range(400)]
    with Law(stage.tree, stage.stack.env, stage.stack.runner.cwd) as law:
        return {
            "a hundred times": _play(law, many, as_here, max(0.5, scene.boot), 0.2, 60.0),
            "steady": _play(law, steady, LIMITS | {"slots": 100}, 3.0, 1.0, 600.0),
            "long": _play(law, waves, LIMITS, 3.0, 1.0, 150.0),
            "blind": _play(law, short, LIMITS, 3.0, 1.0, 90.0, blind=(4.0, 64.0)),
        }
