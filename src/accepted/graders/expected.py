"""Whether a case came to what it must. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from accepted.grade.verdict import Result, Status
from accepted.graders.cases import Case

Came = Literal["as it must", "otherwise", "not judged"]


@dataclass(frozen=True)
class Outcome:
    """What a case came to. `digest`: of all that it may depend on; `judges`: of the code that judged it. `why`: where
    not as it must. `tries`: more than one where the first could not be judged."""

    id: str
    digest: str
    came: Came
    why: str = ""
    seconds: float = 0.0
    tries: int = 1
    judges: str = ""
    statuses: Mapping[str, Status] = field(default_factory=dict)


def came(case: Case, results: Mapping[str, Result]) -> tuple[Came, str]:
    """A known-bad fails its check alone: what needs that check is skipped, and all else passes."""
    unjudged = [one for one in results.values() if one.status in ("unknown", "grader-error")]
    wrong = _wrong(case, {name: one.status for name, one in results.items()})
    if unjudged and (wrong or case.fails is None or case.alone):
        one = unjudged[0]
        return "not judged", f"{one.name} is {one.status}: {one.message}"
    return ("otherwise", wrong) if wrong else ("as it must", "")


def _wrong(case: Case, statuses: Mapping[str, Status]) -> str:
    failed = [name for name, status in statuses.items() if status == "fail"]
    if case.fails is None:
        return f"{', '.join(failed)} failed" if failed else _not_passed(statuses, frozenset())
    if case.fails not in failed:
        instead = ", ".join(failed) or "nothing"
        return f"{case.fails} is {statuses.get(case.fails, 'missing')}; {instead} failed"
    if not case.alone:
        return ""
    if others := [name for name in failed if name != case.fails]:
        return f"{', '.join(others)} failed as well"
    return _not_passed(statuses, case.exercise.dependents(case.fails) | {case.fails})


def _not_passed(statuses: Mapping[str, Status], excused: frozenset[str]) -> str:
    odd = [f"{name} is {status}" for name, status in statuses.items() if status != "pass" and name not in excused]
    return ", ".join(odd)
