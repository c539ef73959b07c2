"""How far a learner is, read from the journal of their tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accepted.grade.exercise import Exercise, folders, load
from accepted.ladder import EXERCISES
from accepted.loop.journal import Event, read
from accepted.loop.modules import digest
from accepted.loop.work import Work


@dataclass(frozen=True)
class Standing:
    """One exercise's. `verdict`: of the last grading, those before a reset or in a tree that was put away left out.
    `edited`: it passed, and its modules are others by now. `points`: those that were earned, by a pass with modules of
    the learner's own; they stay. `with_reference`: that pass came after the reference was shown. `hints`: levels shown.
    `tries`: gradings with a verdict."""

    number: int
    slug: str
    title: str
    worth: int
    verdict: str | None = None
    edited: bool = False
    given: bool = False
    points: int = 0
    with_reference: bool = False
    hints: int = 0
    reference: bool = False
    tries: int = 0

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"

    @property
    def behind(self) -> bool:
        """Nothing is left to do in it."""
        return self.passed or self.given


def standings(work: Work, root: Path = EXERCISES) -> list[Standing]:
    """Of every exercise there is, in order."""
    events = read(work)
    verdicts = _verdicts(events)
    return [_standing(load(folder), work, events, verdicts.get(number)) for number, folder in folders(root).items()]


def next_of(found: Sequence[Standing]) -> Standing | None:
    """The first that is neither passed nor given."""
    return next((one for one in found if not one.behind), None)


def level_shown(work: Work, number: int) -> int:
    """The highest hint that was shown; 0: none."""
    return max((_level(one) for one in read(work) if _is(one, "hint", number)), default=0)


def _standing(exercise: Exercise, work: Work, events: Sequence[Event], last: Event | None) -> Standing:
    toml, number = exercise.toml, exercise.toml.number
    mine = [one for one in events if one.get("exercise") == number]
    earned = next((i for i, one in enumerate(mine) if _earns(one)), None)
    shown = next((i for i, one in enumerate(mine) if one["what"] == "diff"), None)
    return Standing(
        number, toml.slug, toml.title, toml.points,
        verdict=last["verdict"] if last else None,
        edited=last is not None and _edited(last, work),
        given=number in work.given,
        points=toml.points if earned is not None else 0,
        with_reference=earned is not None and shown is not None and shown < earned,
        hints=max((_level(one) for one in mine if one["what"] == "hint"), default=0),
        reference=shown is not None,
        tries=sum(one["what"] == "graded" and one.get("verdict") in ("pass", "fail") for one in mine),
    )  # fmt: skip


def _earns(event: Event) -> bool:
    return event["what"] == "graded" and event.get("verdict") == "pass" and not event.get("given")


def _edited(last: Event, work: Work) -> bool:
    """Whether what passed is no longer what is there. Notes from before there was a digest don't tell."""
    then, backend = last.get("modules"), last.get("backend")
    if last["verdict"] != "pass" or not isinstance(then, str) or not isinstance(backend, str):
        return False
    return then != digest(work.tree, last["exercise"], backend)


def _verdicts(events: Sequence[Event]) -> dict[int, Event]:
    """The last grading of each exercise that still says something of the tree."""
    found: dict[int, Event] = {}
    for index, one in enumerate(events):
        number, verdict = one.get("exercise"), one.get("verdict")
        if one["what"] == "graded" and isinstance(number, int) and verdict in ("pass", "fail"):
            found[number] = one
        elif one["what"] == "started":
            found = {}
        elif one["what"] == "reset" and isinstance(number, int):
            found.pop(number, None)
        elif one["what"] == "restored":
            kept = one.get("kept", one["at"])
            found = _verdicts([each for each in events[:index] if each["at"] <= kept and each["what"] != "restored"])
    return found


def _is(event: Event, what: str, number: int) -> bool:
    return event["what"] == what and event.get("exercise") == number


def _level(event: Event) -> int:
    level = event.get("level")
    return level if isinstance(level, int) and _is(event, "hint", event.get("exercise", 0)) else 0
