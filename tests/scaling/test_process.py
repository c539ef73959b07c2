"""The process `autoscaler`, with real workers: up under load, down after it, and what becomes of them where it dies."""

import signal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accepted.stack import processes
from tests.scaling.conftest import CAP, FLOOR, House

FIRST_RUN = "SELECT count(*) FROM jobs WHERE deliveries <> 1"


def metric(house: House, name: str) -> dict[tuple[str, ...], float]:
    text = httpx.get(f"{house.stack.addresses.web}/metrics", trust_env=False, timeout=30).text
    found = [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]
    return {tuple(value for _, value in sorted(s.labels.items(), reverse=True)): s.value for s in found}


def test_up_under_load_never_past_the_cap_and_down_when_it_is_over(house: House) -> None:
    seen: list[int] = []

    def over() -> bool:
        seen.append(len(house.workers()))
        return house.over()

    house.emails(40)
    house.until(over)
    assert max(seen) == CAP - FLOOR
    house.until(lambda: not house.workers())
    assert house.sql(FIRST_RUN) == [(0,)], "nobody was killed at work"
    assert metric(house, "worker_replicas") == {("cpu",): 1, ("io",): FLOOR}
    events = metric(house, "scale_events_total")
    assert events["io", "up"] >= 1
    assert events["io", "down"] == CAP - FLOOR
    assert "scaled up" in (house.stack.folder.logs / "autoscaler.log").read_text()


@pytest.mark.parametrize("house", [{"backend": "rq"}, {"backend": "celery-redis"}], indirect=True, ids=str)
def test_told_to_stop_it_drains_its_workers_which_end_their_jobs(house: House) -> None:
    house.delay(4)
    house.own_at_work()
    workers = house.workers()
    house.stack.runner.kill("autoscaler", signal.SIGTERM, tree=False)
    house.until(lambda: all(map(processes.gone, workers)))
    house.delay(0.01)
    house.until(house.over)
    assert house.sql(FIRST_RUN) == [(0,)], "nobody was killed at work"


@pytest.mark.parametrize("house", [{"scalers": 2}], indirect=True)
def test_where_the_leader_is_killed_its_workers_go_and_the_next_leads_within_the_cap(house: House) -> None:
    house.delay(2)
    house.own_at_work()
    old, leader = house.workers(), next(iter(house.workers())).ppid()
    [name] = [child.name for child in house.stack.runner.children("autoscaler") if child.pid == leader]
    house.stack.runner.kill(name, signal.SIGKILL, tree=False)
    most = 0

    def replaced() -> bool:
        nonlocal most
        house.keep_busy()
        alive = house.workers()
        most = max(most, len(alive))
        return all(map(processes.gone, old)) and bool(alive)

    house.until(replaced)
    assert most <= CAP - FLOOR, "the old ones count until they are gone"
    house.delay(0.01)
    house.until(house.over)
    assert house.sql(FIRST_RUN) == [(0,)], "who was told to go ended its job first"


def test_who_can_not_see_the_broker_changes_nothing(house: House) -> None:
    house.delay(1)
    house.own_at_work()
    workers = house.workers()
    house.stack.redis.freeze()
    house.until(lambda: "blind" in str(house.sql("SELECT reason FROM scaling WHERE pool = 'io'")))
    assert house.workers() >= workers
    house.stack.redis.thaw()
    house.until(house.over)
