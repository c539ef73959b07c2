"""The order in which cases are played."""

from accepted.grade.exercise import find
from accepted.graders.cases import cases, in_turns

BACKENDS = ("rq", "celery-redis", "celery-rabbitmq")


def test_those_who_run_side_by_side_are_not_of_a_kind() -> None:
    wanted = [case for number in (1, 2) for backend in BACKENDS for case in cases(find(number), backend)]
    played = in_turns(wanted)
    assert [case.backend for case in played[:6]] == [*BACKENDS, *BACKENDS]
    assert [case.exercise.toml.number for case in played[:6]] == [1, 1, 1, 2, 2, 2]
    assert {case.shown for case in played[:6]} == {"reference"}
    assert sorted(case.id for case in played) == sorted(case.id for case in wanted), "none is lost, none comes twice"


def test_whoever_has_most_cases_is_not_left_alone_at_the_end() -> None:
    wanted = [case for number in range(1, 10) for case in cases(find(number), "rq")]
    assert len({case.exercise.toml.number for case in in_turns(wanted)[-6:]}) == 6
