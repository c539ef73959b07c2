"""Which run comes when, what a crash leaves of it, and what the runs come to."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from accepted.compare.judged import judged
from accepted.compare.metrics import metrics
from accepted.compare.page import page
from accepted.compare.plan import Parts, Plan, time_left
from accepted.compare.record import RUNS, Record, Result, read, unfinished
from accepted.compare.systems import System, systems
from accepted.compare.table import lines
from accepted.load import scenario as scenarios
from accepted.stack.errors import Problem
from accepted.stack.state import root

NAMES = ("rq", "celery-redis", "celery-rabbitmq")


@pytest.fixture
def plan() -> Plan:
    wanted = scenarios.load(root() / "loadtests", "compare")
    return Plan(tuple(System(name, name, "solutions") for name in NAMES), wanted, 8, 1, "both")


def result(plan: Plan, number: int, name: str, factor: float = 1.0, lost: int = 0) -> Result:
    values: dict[str, float | None] = {
        each.id: (factor if each.better == "lower" else 1 / factor) * (1 + number / 1000)
        for each in metrics(plan.scenario)
    }
    values["price"] = 0.5 / factor
    promises = {"lost": lost, "duplicated": 0, "phantom": 0}
    return Result(
        number, name, 1, 0.0, 60.0, 0, values, [], False, False, promises, 0.5, f"runs/{number}", "c0ffee", {}
    )


def test_every_round_has_every_system_once_in_an_order_of_its_own_that_the_seed_decides(plan: Plan) -> None:
    orders = [tuple(system.name for system in plan.order(n)) for n in range(1, 21)]
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(NAMES))}
    assert len(set(orders)) > 3
    assert orders == [tuple(system.name for system in plan.order(n)) for n in range(1, 21)]
    assert orders != [tuple(system.name for system in replace(plan, seed=2).order(n)) for n in range(1, 21)]
    assert len({plan.arrivals_seed(n) for n in range(1, 21)}) == 20


def test_what_was_stopped_goes_on_with_what_is_left_and_more_rounds_may_be_added(plan: Plan, tmp_path: Path) -> None:
    record = Record(tmp_path / "1", plan)
    for number, system in plan.left(())[:5]:
        record.add(result(plan, number, system.name))
    with (tmp_path / "1" / RUNS).open("a") as lines_:
        lines_.write('{"schema": "comparison-run/v1", "rou')  # a crash, in the middle of a line
    assert unfinished([tmp_path / "1", tmp_path / "nothing"], plan) == tmp_path / "1"
    again = Record(tmp_path / "1", plan)
    left = plan.left({(each.round, each.system) for each in again.last()})
    assert [(n, system.name) for n, system in left] == [(n, system.name) for n, system in plan.left(())][5:]
    again.add(result(plan, left[0][0], left[0][1].name))
    assert len(read(tmp_path / "1")) == 6, "and what the crash cut off spoils no later line"
    for number, system in left[1:]:
        again.add(result(plan, number, system.name))
    assert unfinished([tmp_path / "1"], plan) is None
    assert unfinished([tmp_path / "1"], replace(plan, rounds=9)) == tmp_path / "1"
    assert unfinished([tmp_path / "1"], replace(plan, seed=2, rounds=9)) is None
    assert time_left([60, 80], 3, 1) == 210
    assert time_left([], 3, 1) == 3


def test_the_words_winners_and_schema_of_a_whole_comparison(plan: Plan) -> None:
    factors = dict(zip(NAMES, (1.0, 1.3, 1.6), strict=True))
    runs = [result(plan, n, name, factor) for n in range(1, 9) for name, factor in factors.items()]
    found = judged(plan, runs)
    jsonschema.validate(found, json.loads((root() / "loadtests" / "schema" / "comparison.json").read_text()))
    assert {one["word"] for each in found["metrics"] for one in each["comparisons"]} == {"worse"}
    won = {each["family"]: each["winner"] for each in found["winners"]}
    assert won["accept p95"] == won["end to end p50"] == "rq"
    assert won["CPU for a job"] is None, "asked at one load only"
    assert found["code"] == 0
    assert any("rq is better than every other at every load" in line for line in lines(found))
    text = page(found)
    assert text.count("<svg viewBox") >= 8
    assert "http" not in text, "nothing is fetched"


@pytest.mark.parametrize(("parts", "count"), [("load", 14), ("layer", 2)])
def test_a_comparison_of_one_part_has_the_metrics_of_that_part(plan: Plan, parts: Parts, count: int) -> None:
    runs = [result(plan, n, name) for n in range(1, 9) for name in NAMES]
    found = judged(replace(plan, parts=parts), runs)
    assert len(found["metrics"]) == count
    assert found["code"] == 0


def test_who_lost_a_job_wins_nothing_and_too_few_rounds_say_nothing(plan: Plan) -> None:
    factors = dict(zip(NAMES, (1.0, 1.3, 1.6), strict=True))
    runs = [result(plan, n, name, factor, lost=name == "rq") for n in range(1, 9) for name, factor in factors.items()]
    found = judged(plan, runs)
    assert (found["code"], {each["winner"] for each in found["winners"]}) == (97, {None})
    few = judged(plan, [each for each in runs if each.round < 4 and each.system != "rq"])
    assert (few["code"], few["rounds"]) == (98, 0)
    three = judged(replace(plan, rounds=3), [replace(each, promises={}) for each in runs if each.round < 4])
    assert {one["word"] for each in three["metrics"] for one in each["comparisons"]} == {"too few rounds"}
    assert (three["code"], three["rounds"]) == (98, 3)
    assert any("8 are the least" in line for line in lines(three))


def test_a_number_that_is_the_librarys_or_the_generators_is_no_systems(plan: Plan) -> None:
    runs = [result(plan, n, name) for n in range(1, 9) for name in NAMES]
    alike = [replace(each, values={**each.values, "price": 0.95}) for each in runs]
    found = {each["id"]: each["comparisons"][0]["word"] for each in judged(plan, alike)["metrics"]}
    assert found["noops"] == "broker-bound"
    assert found["price"] == found["cpu"] == "indistinguishable"
    late = judged(plan, [replace(each, generator=each.system == "rq" and each.round < 4) for each in runs])
    words = {(one["base"], one["other"]): one["word"] for one in late["metrics"][0]["comparisons"]}
    assert words == {
        ("rq", "celery-redis"): "generator-bound", ("rq", "celery-rabbitmq"): "generator-bound",
        ("celery-redis", "celery-rabbitmq"): "indistinguishable",
    }  # fmt: skip


def test_systems_by_what_one_types() -> None:
    found = systems(["rq", "rq", "rq+20%", "celery-redis@exercises/start"], root(), {})
    assert [each.name for each in found] == ["rq", "rq (2)", "rq+20%", "celery-redis@exercises/start"]
    assert [each.slower for each in found] == [0, 0, 0.2, 0]
    assert found[3].tree == "exercises/start"
    for words, why in ((["rq"], "nothing to compare"), (["rq", "sidekiq"], "no backend sidekiq"),
                       (["rq", "rq@nowhere"], "no tree nowhere"), (["rq", "rq+x"], "no system")):  # fmt: skip
        with pytest.raises(Problem, match=why):
            systems(words, root(), {})
