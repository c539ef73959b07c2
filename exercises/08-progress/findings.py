"""What several checks say where they fail, and what they look at."""

from collections.abc import Sequence

from listening import OVER, Listener
from play import Day, Look, day

from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown

FAR = 80  # percent: whoever takes over later than that has nothing left to do twice
LOOK = "shared/progress.py, shared/stream.py; make hint-8"


def broken(done: Day, seen: Sequence[Moment], *, stimulus: str, rule: str, difference: str, costs: str) -> Broken:
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=[*done.marks, *seen], costs=costs,
                  look=LOOK, logs=["stream", "worker-cpu.1"])  # fmt: skip


def frozen(stage: Stage) -> Day:
    """The day, where its report's worker was frozen in the middle."""
    done: Day = stage.played(day)
    if done.frozen_at[0] in OVER or not 0 < done.frozen_at[1] <= FAR:
        state, percent = done.frozen_at
        raise Unknown(f"the report's worker was to be frozen half-way, and it was {state} at {percent} % by then")
    return done


def from_the_end(looks: Sequence[Look]) -> list[Look]:
    """Looks are samples: between two of them a job may have gone on by several states, but not out of its end."""
    first = next((number for number, one in enumerate(looks) if one.seen[0] in OVER), len(looks))
    return list(looks[first:])


def marked(moments: Sequence[Moment], place: int) -> list[Moment]:
    return [Moment(one.at, one.what, "backward" if number == place else "") for number, one in enumerate(moments)]


def of(one: Listener | None) -> Listener:
    if one is None:
        raise Unknown("nobody listened")
    return one
