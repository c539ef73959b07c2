"""What several checks find, and say where they fail."""

from collections.abc import Sequence

from asking import Asked, Scene, drained, effects, seen
from points import RELAYS
from scenes import Waiting

from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown

LOST = "A user was told 202, and nothing ever happens: the invoice is not sent, the supplier not paid, no alarm rings."
TWICE = "A customer gets a mail twice, or a supplier the money; a second relay makes it worse, where it was to help."
GHOSTS = "A worker looks for a job that is not there; one that finds the message's own data pays what nobody ordered."


def delivered(
    stage: Stage, scene: Scene, asked: Sequence[Asked], stimulus: str, rule: str, seq: int = 0,
    logs: Sequence[str] = RELAYS,
) -> None:  # fmt: skip
    """Waits for them. Raises Broken unless each of these succeeded and had its one effect."""
    finished(stage, scene, asked, stimulus, rule, logs)
    once(stage, scene, asked, stimulus, rule, seq, logs)


def finished(stage: Stage, scene: Scene, asked: Sequence[Asked], stimulus: str, rule: str, logs: Sequence[str]) -> None:
    """Waits for them. Raises Broken unless each of these succeeded."""
    if refused := [one for one in asked if not one.job]:
        difference = f"expected {refused[0].key} to have a job, found none; its request: {refused[0].answer}"
        raise report(stage, scene, stimulus, rule, difference, about=refused, logs=("web",))
    drained(stage, asked, scene.due)
    wrong = [(one, state) for one in asked if (state := stage.state(one.job)) != "succeeded"]
    if wrong:
        one, state = wrong[0]
        difference = (
            f"expected {len(asked)} to succeed; {len(wrong)} did not: {one.key} is {state or 'not to be found'}"
        )
        raise report(stage, scene, stimulus, rule, difference, about=[one], logs=logs)


def once(
    stage: Stage, scene: Scene, asked: Sequence[Asked], stimulus: str, rule: str, seq: int, logs: Sequence[str]
) -> None:
    """Raises Broken unless each of these had its one effect."""
    counted = effects(stage, seq, asked)
    for one in asked:
        if counted.get(one.key, 1) != 1:
            difference = f"expected one effect of {one.key}, found {counted[one.key]}"
            raise report(stage, scene, stimulus, rule, difference, about=[one], logs=logs)


def all_seen(scene: Waiting) -> list[Asked]:
    """Those whose messages were counted. Raises Unknown where one was not seen: then nothing can be said of more."""
    wanted = [one for one in scene.beside if one.accepted]
    there = [one for one in wanted if any(one.job in named for named in scene.messages)]
    if not there or len(there) < len(wanted):
        raise Unknown(f"messages of {len(scene.beside)} payouts were to be seen on the broker; {len(there)} were")
    return wanted


def report(
    stage: Stage, scene: Scene, stimulus: str, rule: str, difference: str, *, about: Sequence[Asked] | None = None,
    ghost: bool = False, logs: Sequence[str] = RELAYS,
) -> Broken:  # fmt: skip
    """What goes wrong with `about` (else with all of the scene), beside what the grader did."""
    told = seen(stage, about if about is not None else scene.asked)
    where = "shared/outbox.py" if ghost or "web" in logs else "shared/relay.py, shared/outbox.py"
    costs = GHOSTS if ghost else TWICE if "each, found" in difference or "one effect" in difference else LOST
    marks = [
        Moment(one.at, one.what, one.mark or ("this one" if about and one in _answers(about) else ""))
        for one in scene.marks
    ]
    return Broken(
        stimulus=stimulus, rule=rule, difference=difference, evidence=[*marks, *told], costs=costs,
        look=f"{where}; make hint-7", logs=logs,
    )  # fmt: skip


def _answers(about: Sequence[Asked]) -> list[Moment]:
    return [one.answer.moment() for one in about]
