"""What a check can come to, and how one says so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from accepted.grade.evidence import Moment

Status = Literal["pass", "fail", "skipped", "unknown", "grader-error"]
EXIT: Mapping[Status, int] = {"pass": 0, "fail": 1, "skipped": 3, "unknown": 3, "grader-error": 3}
USAGE, UNJUDGED = 2, 3  # asked for wrongly; could not be judged


class Broken(Exception):
    """The tree broke a rule.

    stimulus: what the grader did. rule: the sentence that was broken. evidence: what was seen, in order of time; the
    moment that breaks the rule is marked. difference: expected beside found, the first that differs. costs: what a
    real user pays. look: where in the tree. logs: the tree's processes whose own words are worth reading.
    """

    def __init__(
        self, *, stimulus: str, rule: str, costs: str, look: str, difference: str = "",
        evidence: Iterable[Moment] = (), logs: Sequence[str] = ("web",),
    ) -> None:  # fmt: skip
        super().__init__(rule)
        self.stimulus, self.rule, self.costs, self.look = stimulus, rule, costs, look
        self.difference, self.logs = difference, tuple(logs)
        self.evidence = sorted(evidence)


class Unknown(Exception):
    """It could not be judged: a fault did not happen, or nothing could be seen in time."""


@dataclass
class Result:
    """One check's. `message`: what was measured, which rule was broken, or why it was not judged."""

    name: str
    status: Status
    message: str
    needs: Sequence[str] = ()
    says: str = ""
    seconds: float = 0.0
    stimulus: str = ""
    difference: str = ""
    evidence: Sequence[str] = field(default_factory=list)
    costs: str = ""
    look: str = ""
    file: str | None = None


def overall(results: Sequence[Result]) -> Status:
    """The worst of all: never a pass by silence, and a fail is a fail whatever else could not be judged."""
    found = {result.status for result in results}
    for status in ("fail", "grader-error", "unknown"):
        if status in found:
            return status
    return "pass" if found == {"pass"} else "grader-error"


def blocked(needs: Sequence[str], so_far: Mapping[str, Result]) -> str | None:
    """The prerequisite that did not pass, if there is one: the root, where it was itself skipped for another."""
    for name in needs:
        result = so_far.get(name)
        if result is None:
            return name
        if result.status == "skipped":
            return blocked(result.needs, so_far) or name
        if result.status != "pass":
            return name
    return None
