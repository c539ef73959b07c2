"""Scenario and SLO files: what is wrong in one is told with its line, and what is drawn from one is always the same."""

from pathlib import Path

import pytest

from accepted.load import scenario, schedule, slo
from accepted.stack.errors import Problem
from accepted.stack.state import root

LOADTESTS = root() / "loadtests"
GOOD = """schema: scenario/v1
title: A try
jobs:
  - {kind: payout.send, share: 3}
  - {kind: noop, share: 1, only: [burst]}
phases:
  - {steady: 10s, rate: 50}
  - {burst: 2s, rate: 400}
  - {drain: until_empty, max: 5s, rate: 0}
"""


def read(folder: Path, text: str, long: bool = False) -> scenario.Scenario:
    path = folder / "try.yaml"
    path.write_text(text)
    return scenario.load(LOADTESTS, str(path), long)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "word"),
    [
        ("rate: 400", "rate: fast", 8, "fast"),
        ("kind: noop", "kind: nap", 5, "nap"),
        ("title: A try", "title: A try\nspeed: 3", 3, "speed"),
        ("burst: 2s", "burst: 2 seconds", 8, "2 seconds"),
        ("only: [burst]", "only: [flood]", 5, "flood"),
        ("max: 5s, ", "", 9, "max"),
        ("- {burst: 2s, rate: 400}", "- {fault: kill_worker, for: 3s, at: 5s, rate: 1}", 8, "outlast"),
        ("steady: 10s, rate: 50}", "steady: 10s, rate: 50", 7, "expected"),
    ],
)
def test_a_mistake_in_a_scenario_is_told_with_its_line(
    tmp_path: Path, right: str, wrong: str, line: int, word: str
) -> None:
    with pytest.raises(Problem) as told:
        read(tmp_path, GOOD.replace(right, wrong))
    assert f"try.yaml, line {line}" in told.value.what or "expected" in word
    assert word in str(told.value)


def test_an_unknown_metric_is_an_error_and_never_a_pass(tmp_path: Path) -> None:
    text = (LOADTESTS / "slo.yaml").read_text()
    assert "{metric: wait}" in text
    (tmp_path / "slo.yaml").write_text(text.replace("{metric: wait}", "{metric: weight}"))
    with pytest.raises(Problem, match=r"line \d+: no metric weight"):
        slo.load(tmp_path / "slo.yaml", LOADTESTS / "schema" / "slo.json")


@pytest.mark.parametrize("name", scenario.names(LOADTESTS))
def test_every_scenario_that_ships_is_short_can_be_judged_and_has_a_long_form(name: str) -> None:
    wanted = scenario.load(LOADTESTS, name)
    assert wanted.seconds <= 95, "with boot and self-test it must stay under two minutes"
    assert scenario.load(LOADTESTS, name, long=True).seconds > 2 * wanted.seconds
    phases, kinds = [phase.name for phase in wanted.phases], [each.kind for each in wanted.work]
    objectives = slo.asked(slo.load(LOADTESTS / wanted.slo, LOADTESTS / "schema" / "slo.json"), phases, kinds)
    assert {"lost", "duplicated", "phantom"} <= {each.metric for each in objectives}
    assert any(each.phase not in (None, "drain") for each in objectives)


def test_the_same_seed_gives_the_same_arrivals_and_another_mix_keeps_their_times(tmp_path: Path) -> None:
    wanted = read(tmp_path, GOOD)
    first, again, other = (schedule.arrivals(wanted, seed) for seed in (1, 1, 2))
    assert first == again
    assert [each.at for each in first] != [each.at for each in other]
    mixed = read(tmp_path, GOOD.replace("share: 3", "share: 1"))
    assert [each.at for each in schedule.arrivals(mixed, 1)] == [each.at for each in first]


def test_arrivals_are_as_many_as_their_phase_says_and_of_the_kinds_that_it_has(tmp_path: Path) -> None:
    found = schedule.arrivals(read(tmp_path, GOOD), 1)
    steady, burst = ([each for each in found if each.phase == name] for name in ("steady", "burst"))
    assert 430 < len(steady) < 570
    assert 700 < len(burst) < 900
    assert all(0 <= each.at < 10 for each in steady)
    assert all(10 <= each.at < 12 for each in burst)
    assert {each.work.kind for each in steady} == {"payout.send"}
    assert 0.18 < sum(each.work.kind == "noop" for each in burst) / len(burst) < 0.32
    even = schedule.arrivals(read(tmp_path, "arrivals: constant\n" + GOOD), 1)
    assert [each.at for each in even[:3]] == [0.0, 0.02, 0.04]


def test_make_has_a_target_for_every_scenario() -> None:
    line = next(line for line in (root() / "Makefile").read_text().splitlines() if line.startswith("LOADS :="))
    assert sorted(line.removeprefix("LOADS := ").split()) == [f"load-{name}" for name in scenario.names(LOADTESTS)]
