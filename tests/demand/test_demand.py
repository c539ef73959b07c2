"""The search, the prices, what a stop leaves of it, and the page."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from accepted.demand import prices
from accepted.demand.measured import at
from accepted.demand.page import page
from accepted.demand.record import FOUND, Plan, Point, Record, unfinished
from accepted.demand.search import Demand, curve, least
from accepted.demand.table import as_dict, lines
from accepted.load import scenario as scenarios
from accepted.load import slo
from accepted.stack.errors import Problem
from accepted.stack.state import root

LOADTESTS = root() / "loadtests"


def needs(per_worker: float, asked: list[tuple[float, int]]) -> Callable[[float, int], bool]:
    """A system whose workers do so many jobs a second each, and a note of what was asked of it."""

    def holds(load: float, workers: int) -> bool:
        asked.append((load, workers))
        return workers * per_worker >= load

    return holds


@pytest.mark.parametrize("true", range(1, 9))
def test_the_least_is_found_each_number_asked_once_and_its_edge_was_seen(true: int) -> None:
    asked: list[int] = []

    def holds(workers: int) -> bool:
        asked.append(workers)
        return workers >= true

    found = least(5.0, 1, 8, holds)
    assert found == Demand(5.0, true, true - 1 if true > 1 else None)
    assert len(asked) == len(set(asked)) <= 4
    assert true in asked
    assert true == 1 or true - 1 in asked


def test_a_higher_load_begins_where_the_lower_one_ended_and_beyond_the_most_none_is_tried() -> None:
    asked: list[tuple[float, int]] = []
    found = curve([40, 4, 16, 50], 8, needs(4, asked))
    assert [(each.load, each.least) for each in found] == [(4, 1), (16, 4), (40, None), (50, None)]
    assert not [each for each in asked if each[0] == 50]
    assert [each for each in asked if each[0] == 40] == [(40, 8)]


def test_a_million_jobs_by_hand() -> None:
    costs = prices.load(LOADTESTS / "prices.yaml", LOADTESTS / "schema" / "prices.json")
    assert costs.example, "what ships is made up, and has to say so"
    mine = prices.Prices("EUR", False, 0.1, {"web": 0.2, "relay": 0.1}, {"rq": 0.05})
    # 4 × 0.1 + 0.2 + 0.1 + 0.05 = 0.75 an hour, in which 10/s are 36,000 jobs
    assert mine.hour("rq", 4) == pytest.approx(0.75)
    assert mine.million("rq", 4, 10) == pytest.approx(0.75 / 36_000 * 1e6)


def test_a_price_that_is_missing_is_told_with_its_line(tmp_path: Path) -> None:
    text = (LOADTESTS / "prices.yaml").read_text().replace("  relay: 0.01\n", "")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(Problem, match=r"mine\.yaml, line \d+.*relay"):
        prices.load(tmp_path / "mine.yaml", LOADTESTS / "schema" / "prices.json")


@pytest.fixture
def plan() -> Plan:
    return Plan("rq", "solutions", scenarios.load(LOADTESTS, "demand"), (4.0, 16.0), 8, 7)


def point(load: float, workers: int, held: bool) -> Point:
    broken = [] if held else ["steady wait p95"]
    seen = {"steady wait p95": 0.2 if held else None}
    return Point(load, workers, held, 0 if held else 99, broken, seen, 0.0, 40.0, 0.5, "runs/x", "c0ffee")


def test_the_scenario_of_a_point_has_its_load_and_workers_and_an_objective_for_each_metric(plan: Plan) -> None:
    one = at(plan.scenario, 16, 3)
    assert [phase.rate for phase in one.phases] == [16, 16, 0]
    assert one.settings["IO_SLOTS"] == "3"
    objectives = slo.load(LOADTESTS / one.slo, LOADTESTS / "schema" / "slo.json")
    asked = slo.asked(objectives, [phase.name for phase in one.phases], [each.kind for each in one.work])
    assert len(asked) == len(objectives) == 8


def test_what_was_stopped_is_gone_on_with_and_a_load_may_be_added(plan: Plan, tmp_path: Path) -> None:
    record = Record(tmp_path / "1", plan)
    record.add(point(4, 8, True))
    with (tmp_path / "1" / "runs.jsonl").open("a") as lines_:
        lines_.write('{"schema"')  # a crash, in the middle of a line
    assert unfinished([tmp_path / "1"], plan) == tmp_path / "1"
    again = Record(tmp_path / "1", plan)
    again.add(point(4, 4, True))
    again = Record(tmp_path / "1", plan)
    assert [each.workers for each in again.points] == [8, 4]
    assert again.get(4, 8) == point(4, 8, True)
    assert again.get(16, 8) is None
    (tmp_path / "1" / FOUND).write_text(json.dumps({"curve": [{"load": 4.0}, {"load": 16.0}]}))
    assert unfinished([tmp_path / "1"], plan) is None
    assert unfinished([tmp_path / "1"], replace(plan, loads=(4.0, 32.0))) == tmp_path / "1"
    assert unfinished([tmp_path / "1"], replace(plan, most=9)) is None


def test_table_page_and_schema_of_a_search(plan: Plan) -> None:
    costs = prices.load(LOADTESTS / "prices.yaml", LOADTESTS / "schema" / "prices.json")
    points = [point(4, 8, True), point(4, 1, True), point(16, 8, False)]
    found = as_dict(plan, [Demand(4.0, 1, None), Demand(16.0, None, 8)], points, costs)
    jsonschema.validate(found, json.loads((LOADTESTS / "schema" / "demand.json").read_text()))
    text = "\n".join(lines(found))
    assert "more than 8" in text
    assert "made up" in text
    assert "made up" not in "\n".join(lines({**found, "prices": {"currency": "EUR", "example": False}}))
    drawn = page(found)
    assert drawn.count("<circle") > 2
    assert "made-up prices" in drawn
    assert "http" not in drawn
    lost = as_dict(plan, [Demand(4.0, None, 8)], [replace(points[2], code=97)], costs)
    assert lost["code"] == 97
    assert "No load was held" in page(lost)
