"""How a room of learners stands. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from accepted.grade.exercise import Exercise
from accepted.instructor.collected import Checked, Graded, Learner, LeftOut

State = Literal["pass", "fail", "unknown", "none"]  # unknown: it was graded, and could not be judged


@dataclass(frozen=True)
class Square:
    """One learner at one exercise. `passed` of `checks`; `first`: the check that failed first, in the graph's order."""

    state: State
    passed: int = 0
    checks: int = 0
    first: Checked | None = None


@dataclass(frozen=True)
class Stuck:
    """One check. `judged`: learners of whom it is known; `those`: whom it fails, with what was found."""

    exercise: int
    name: str
    says: str
    judged: int
    those: Mapping[str, Checked]

    @property
    def label(self) -> str:
        return f"{self.exercise:02}/{self.name}"


@dataclass(frozen=True)
class Room:
    """`exercises`: all that there are, in order."""

    exercises: Sequence[Exercise]
    learners: Sequence[Learner]
    left_out: Sequence[LeftOut]

    def square(self, learner: Learner, exercise: Exercise) -> Square:
        """How one learner stands at one exercise; "none" where there is no result of theirs."""
        found = learner.results.get(exercise.toml.number)
        if found is None:
            return Square("none")
        passed = sum(one.status == "pass" for one in found.checks)
        failed = failures(found, exercise)
        state: State = "pass" if found.verdict == "pass" else "fail" if failed else "unknown"
        return Square(state, passed, len(found.checks), failed[0] if failed else None)

    def points(self, learner: Learner) -> int:
        """Of the exercises that pass; what was shown on the way doesn't stand in result files."""
        return sum(one.toml.points for one in self.exercises if self.square(learner, one).state == "pass")

    def passing(self, exercise: Exercise) -> tuple[int, int]:
        """How many pass, of how many who were graded."""
        states = [self.square(one, exercise).state for one in self.learners]
        return states.count("pass"), len(states) - states.count("none")

    def stuck(self) -> list[Stuck]:
        """Every check that fails somebody: where most stand comes first, then in the order of the exercises."""
        found = [one for exercise in self.exercises for one in self._of(exercise) if one.those]
        return sorted(found, key=lambda one: -len(one.those))

    def _of(self, exercise: Exercise) -> list[Stuck]:
        number = exercise.toml.number
        seen = {one.name: {each.name: each for each in one.results[number].checks}
                for one in self.learners if number in one.results}  # fmt: skip
        return [
            Stuck(
                number, name, exercise.toml.checks[name].says,
                sum(checks[name].status in ("pass", "fail") for checks in seen.values()),
                {who: checks[name] for who, checks in seen.items() if checks[name].status == "fail"},
            )
            for name in exercise.toml.order()
        ]  # fmt: skip


def failures(found: Graded, exercise: Exercise) -> list[Checked]:
    """The checks that failed, as the grader goes through them: dependents of a failed check were skipped."""
    order = {name: index for index, name in enumerate(exercise.toml.order())}
    failed = [one for one in found.checks if one.status == "fail"]
    return sorted(failed, key=lambda one: order.get(one.name, len(order)))
