"""How a broken rule of exercise 11 is told."""

from play import Burst
from traces import Played

from accepted.grade.evidence import Moment
from accepted.grade.verdict import Broken

LAW, REPLICAS = "shared/autoscaler/law.py", "shared/autoscaler/replicas.py"


def broken(stimulus: str, rule: str, difference: str, moments: list[Moment], costs: str, look: str) -> Broken:
    return Broken(
        stimulus=stimulus, rule=rule, difference=difference, evidence=moments, costs=costs,
        look=f"{look}; make hint-11", logs=("autoscaler",),
    )  # fmt: skip


def told(played: Played, at: float) -> list[Moment]:
    """What the law was asked and answered, around that moment of its load."""
    found = []
    for now, there, look, answer in played.asked:
        if abs(now - at) <= 4 or answer != there:
            sees = ("nothing" if look is None else f"{look['waiting']} waiting, the oldest for {look['oldest']:.1f} s,"
                    f" {look['running']} at work, {look['service']:.2f} s each")  # fmt: skip
            found.append(Moment(now, f"{there} workers, sees {sees} → {answer}", "here" if now == at else ""))
    return found


def ages(scene: Burst, every: float = 1.0) -> list[Moment]:
    found: list[Moment] = []
    for at, age in scene.ages:
        if not found or at - found[-1].at >= every:
            found.append(Moment(at, f"the oldest e-mail has waited {age:.1f} s"))
    return found
