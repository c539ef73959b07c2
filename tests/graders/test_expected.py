"""What a case must come to, decided from the checks' statuses alone."""

import pytest

from accepted.grade.exercise import find
from accepted.grade.verdict import Result, Status
from accepted.graders.cases import Case, cases
from accepted.graders.expected import came

EXERCISE = find(1)
PASSED: dict[str, Status] = dict.fromkeys(EXERCISE.toml.checks, "pass")
CAUGHT: dict[str, Status] = {**PASSED, "same-key-same-answer": "fail"}
BAD = Case(EXERCISE, "rq", "known-bad", "ignores-the-key", "same-key-same-answer", alone=True)
GOOD = Case(EXERCISE, "rq", "variant", "01-x")
START = Case(EXERCISE, "rq", "start", fails="answers-at-once")


def verdict(case: Case, **changed: Status) -> tuple[str, str]:
    statuses = {**(CAUGHT if case is BAD else PASSED), **{name.replace("_", "-"): s for name, s in changed.items()}}
    return came(case, {name: Result(name, status, "why") for name, status in statuses.items()})


def test_a_known_bad_fails_its_check_and_what_needs_that_is_skipped() -> None:
    assert verdict(BAD, same_key_other_body="skipped", same_key_in_flight="skipped")[0] == "as it must"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"same_key_same_answer": "pass"}, "same-key-same-answer is pass; nothing failed"),
        ({"unknown_job": "fail"}, "unknown-job failed as well"),
        ({"stays_quick": "skipped"}, "stays-quick is skipped"),
        ({"same_key_same_answer": "skipped", "answers_at_once": "fail"}, "answers-at-once failed"),
    ],
)
def test_a_known_bad_that_is_not_caught_or_fails_for_another_reason_is_told(
    changed: dict[str, Status], said: str
) -> None:
    outcome, why = verdict(BAD, **changed)
    assert outcome == "otherwise" and said in why


def test_a_right_tree_passes_every_check() -> None:
    assert verdict(GOOD) == ("as it must", "")
    assert verdict(GOOD, boots="fail") == ("otherwise", "boots failed")
    assert verdict(GOOD, boots="skipped") == ("otherwise", "boots is skipped")


def test_what_could_not_be_judged_is_neither() -> None:
    assert verdict(GOOD, boots="unknown") == ("not judged", "boots is unknown: why")
    assert verdict(BAD, unknown_job="grader-error")[0] == "not judged"


def test_start_fails_where_it_should_whatever_else_it_does() -> None:
    assert verdict(START, answers_at_once="fail", stays_quick="fail", unknown_job="unknown")[0] == "as it must"
    assert verdict(START)[0] == "otherwise"


def test_every_exercise_has_its_cases_on_every_backend_where_they_can_be_written() -> None:
    found = [case for backend in ("rq", "celery-redis") for case in cases(EXERCISE, backend, sunny=True)]
    assert len({case.id for case in found}) == len(found)
    kinds = [case.kind for case in found if case.backend == "rq"]
    assert kinds.count("known-bad") == kinds.count("sunny") == len(EXERCISE.toml.known_bad)
    assert {"reference", "start", "solved"} <= set(kinds) and "prerequisites" not in kinds, "that is start"
