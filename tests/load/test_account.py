"""Every job by its id: what is lost, doubled, never asked for, unfinished; and what a run comes to."""

import math
from dataclasses import replace

import pytest

from accepted.load.account import Account, Row, account
from accepted.load.figures import Figures, drain, histogram
from accepted.load.identity import Effect, by_key, trace_of
from accepted.load.plan import Objects, Planned, plan
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.schedule import arrivals
from accepted.load.seen import Seen
from accepted.load.slo import Objective, at_quantile, judge
from accepted.load.verdict import BROKEN, HELD, INVALID, UNKEPT, Conduct, allowed_lag, reach

ZERO = 1_000.0
WORK = (Work("payout.send", 1),)
SCENARIO = Scenario("try", "", WORK, (Phase("steady", 1.0, 10), Phase("drain", 5.0, 0)), arrivals="constant")
OBJECTS = {"acme": Objects("token", [(n, 1) for n in range(50)], [1, 2])}


def planned(scenario: Scenario = SCENARIO) -> list[Planned]:
    return plan(arrivals(scenario), OBJECTS, "t")


def seen(one: Planned, **more: object) -> Seen:
    whole = Seen(
        f"job-{one.n}",
        one.kind,
        one.key or "",
        "succeeded",
        t_enq=ZERO + one.at + 0.02,
        t_start=ZERO + one.at + 0.1,
        t_over=ZERO + one.at + 0.3,
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def sent(one: Planned, **more: object) -> dict[str, object]:
    line = {"n": one.n, "t_send": ZERO + one.at + 0.001, "t_acc": ZERO + one.at + 0.01, "status": 202}
    return {**line, "job": f"job-{one.n}", **more}


def told(requests: list[Planned], **effects: int) -> dict[tuple[str, str], int]:
    found = {("charge", each.key or ""): 1 for each in requests}
    return found | {("charge", key): n for key, n in effects.items()}


def whole(requests: list[Planned]) -> Account:
    return account(ZERO, requests, map(sent, requests), map(seen, requests), told(requests))


def test_a_run_without_a_flaw_has_no_finding_and_its_stamps_add_up() -> None:
    found = whole(planned())
    assert (found.lost, found.duplicated, found.phantom) == ([], [], [])
    row = found.rows[3]
    parts = [row.took(metric) or 0 for metric in ("accept", "relay", "wait")]
    assert parts == pytest.approx([0.01, 0.01, 0.08])
    assert row.took("end_to_end") == pytest.approx(0.3)


def test_losses_doubles_and_phantoms_are_found_by_their_keys() -> None:
    requests = planned()
    effects = told(requests)
    effects[("charge", requests[2].key or "")] = 2
    del effects[("charge", requests[4].key or "")]
    effects[("email", "acme:email:9:1")] = 1
    found = account(ZERO, requests, map(sent, requests), map(seen, requests), effects)
    assert [each.split(":")[2] for each in found.lost] == ["t-pay-4"]
    assert [each.split(":")[2] for each in found.duplicated] == ["t-pay-2"]
    assert found.phantom == ["acme:email:9:1: a email that nobody asked for"]


def test_a_job_that_nothing_moves_any_more_is_lost_and_one_that_is_only_late_is_not() -> None:
    requests = planned()
    jobs = [seen(each) for each in requests]
    jobs[5] = seen(requests[5], state="queued", t_start=None, t_over=None)
    effects = told([each for each in requests if each.n != 5])
    still = account(ZERO, requests, map(sent, requests), jobs, effects, standstill=True)
    late = account(ZERO, requests, map(sent, requests), jobs, effects, standstill=False)
    assert len(still.lost) == len(still.stuck) == 1
    assert (late.lost, late.stuck) == ([], [])
    assert late.rows[5].took("end_to_end") == math.inf, "right-censored, never dropped"


def test_a_job_that_had_its_effect_and_is_left_halfway_is_not_lost_and_yet_stuck() -> None:
    requests = planned()
    jobs = [seen(each) for each in requests]
    jobs[5] = seen(requests[5], state="running", t_over=None)
    found = account(ZERO, requests, map(sent, requests), jobs, told(requests), standstill=True)
    assert found.lost == []
    assert [each.split(": ")[1] for each in found.stuck] == ["running for ever"]
    figures = Figures(found, SCENARIO, [], ZERO, ZERO + 3)
    assert figures.values("drain") == [math.inf], "what is left behind has not drained, however young it is"
    assert verdict_of(found, objectives=[*OBJECTIVES, Objective("stuck", "lte", 0)]) == BROKEN


def test_a_poisoned_job_belongs_among_the_dead_letters() -> None:
    requests = planned(replace(SCENARIO, work=(Work("payout.send", 1, poison=True),)))
    parked = [seen(each, state="failed") for each in requests]
    assert account(ZERO, requests, map(sent, requests), parked, {}).lost == []
    gone = [seen(each) for each in requests]
    assert len(account(ZERO, requests, map(sent, requests), gone, {}).lost) == len(requests)


def test_an_effect_under_a_key_of_the_trees_own_is_known_by_its_trace() -> None:
    requests = planned()[:3]
    jobs = {f"job-{each.n}": seen(each) for each in requests}
    traces = [trace_of(each.headers["traceparent"]) for each in requests]
    effects = [Effect("charge", f"made-up-{n}", trace) for n, trace in enumerate([*traces, traces[1], "0" * 32])]
    found = account(ZERO, requests, map(sent, requests), jobs.values(), by_key(effects, requests, jobs))
    assert found.lost == []
    assert [each.split(":")[2] for each in found.duplicated] == ["t-pay-1"]
    assert found.phantom == ["made-up-4: a charge that nobody asked for"]


def test_a_webhook_under_an_id_of_the_trees_own_belongs_to_its_subscriber() -> None:
    requests = planned(replace(SCENARIO, work=(Work("webhook.fanout", 1),)))[:1]
    keys = [f"acme:webhook:{n}:0:1:invoice.updated" for n in (1, 2)]
    children = tuple(Seen(key, "webhook.deliver", key, "succeeded", t_over=ZERO + 1) for key in keys)
    jobs = {"job-0": seen(requests[0], wanted=2, children=children)}
    trace = trace_of(requests[0].headers["traceparent"])
    effects = [Effect("webhook", f"made-up-{n}", trace, str(subscriber)) for n, subscriber in enumerate((1, 2, 2))]
    found = account(ZERO, requests, map(sent, requests), jobs.values(), by_key(effects, requests, jobs))
    assert (found.lost, found.phantom) == ([], [])
    assert found.duplicated == [f"{keys[1]}: 2 effects"]


def test_a_parked_job_that_was_no_poison_is_lost() -> None:
    requests = planned()
    jobs = [seen(each, state="failed") for each in requests]
    assert len(account(ZERO, requests, map(sent, requests), jobs, {}).lost) == len(requests)


def test_an_answer_that_is_the_work_itself_counts_as_accepted_and_done_at_once() -> None:
    requests = planned()[:1]
    found = account(ZERO, requests, [sent(requests[0], status=200, job=None)], [], {})
    assert found.lost == []
    assert found.rows[0].took("end_to_end") == found.rows[0].took("accept") == pytest.approx(0.01)


def test_a_fan_out_is_done_when_every_subscriber_was_told() -> None:
    requests = planned(replace(SCENARIO, work=(Work("webhook.fanout", 1),)))[:1]
    keys = [f"acme:webhook:{n}:0:1:invoice.updated" for n in (1, 2)]
    children = tuple(Seen(key, "webhook.deliver", key, "succeeded", t_over=ZERO + 1) for key in keys)
    job = seen(requests[0], wanted=2, children=children)
    both = account(ZERO, requests, map(sent, requests), [job], {("webhook", key): 1 for key in keys})
    assert (both.lost, both.phantom) == ([], [])
    assert both.rows[0].t_done == ZERO + 1
    one = account(ZERO, requests, map(sent, requests), [job], {("webhook", keys[0]): 1})
    assert len(one.lost) == 1


def test_a_request_that_was_never_accepted_makes_the_accept_time_worse_and_not_better() -> None:
    requests = planned()
    lines = [sent(each) for each in requests[1:]]
    lines.append({"n": 0, "t_send": ZERO, "status": 503, "error": None})
    found = account(ZERO, requests, lines, map(seen, requests[1:]), told(requests[1:]))
    figures = Figures(found, SCENARIO, [], ZERO, ZERO + 3)
    assert judge(Objective("accept", "lte", 0.5, 0.95, "steady"), figures.values("accept", "steady")).found == math.inf
    assert figures.values("refused") == [1.0]


def test_the_drain_lasts_until_the_age_stays_inside_its_limit() -> None:
    series = [(n / 4, age) for n, age in enumerate([0, 1, 6, 7, 4, 6, 3, 1])]
    assert drain(series, 0.5, 5, left=False) == 1.0
    assert drain(series, 0.5, 8, left=False) == 0.0
    assert drain(series, 0.5, 0.5, left=False) == 1.5, "the last of it ended after the last look"
    assert drain(series, 0.5, 8, left=True) == math.inf


def test_the_histogram_cuts_nothing_off() -> None:
    found, beside = histogram([0.001, 3_600.0, math.inf, -0.002])
    assert found.get_total_count() == 2
    assert found.get_max_value() / 1e6 == pytest.approx(3600, rel=0.001)
    assert beside == {"unfinished": 1, "below_zero": 1}


def test_a_quantile_is_the_worst_that_counts() -> None:
    values = [float(n) for n in range(1, 101)]
    assert at_quantile(values, 0.95, "lte") == 95
    assert at_quantile(values, 1.0, "lte") == 100
    assert at_quantile(values, 0.95, "gte") == 6
    assert at_quantile([], 0.5, "lte") is None


OBJECTIVES = [
    Objective("accept", "lte", 0.5, 0.95, "steady"),
    Objective("lost", "lte", 0),
    Objective("duplicated", "lte", 0),
]
GOOD = Conduct(lags=[0.001] * 100)


def verdict_of(found: Account, conduct: Conduct = GOOD, objectives: list[Objective] = OBJECTIVES) -> int:
    return reach(conduct, objectives, Figures(found, SCENARIO, objectives, ZERO, ZERO + 3)).code


def test_the_exit_status_says_the_worst_that_is_certain() -> None:
    good = whole(planned())
    assert verdict_of(good) == HELD
    slow = replace(OBJECTIVES[0], value=0.005)
    assert verdict_of(good, objectives=[slow, *OBJECTIVES[1:]]) == BROKEN
    assert verdict_of(Account(good.rows, lost=["k"]), objectives=[slow, *OBJECTIVES[1:]]) == UNKEPT
    assert verdict_of(Account(good.rows, duplicated=["k"])) == UNKEPT
    assert verdict_of(Account(good.rows, lost=["k"]), replace(GOOD, dropped=1)) == INVALID


@pytest.mark.parametrize(
    "conduct",
    [
        replace(GOOD, lags=[0.001] * 97 + [0.03] * 3),
        replace(GOOD, lags=[0.001] * 97 + [math.inf] * 3),
        replace(GOOD, lags=[]),
        replace(GOOD, dropped=1),
        replace(GOOD, busiest=0.95),
        replace(GOOD, died="it was killed"),
        replace(GOOD, odd=["web has 1 worker, and 2 were declared"]),
        replace(GOOD, failed_self_test=["3 jobs were lost, and 0 reported"]),
    ],
)
def test_a_run_that_may_not_be_believed_is_invalid_whatever_it_found(conduct: Conduct) -> None:
    assert verdict_of(whole(planned()), conduct) == INVALID


def test_the_generator_may_lag_by_a_twentieth_of_the_tightest_latency_and_no_drain_makes_that_more() -> None:
    drains = [Objective("drain", "lte", 45.0), Objective("oldest_age", "lte", 20.0)]
    assert allowed_lag(drains) == 0.025
    assert allowed_lag([*drains, Objective("accept", "lte", 0.1, 0.95)]) == 0.025
    assert allowed_lag([*drains, Objective("end_to_end", "lte", 4.0, 0.95)]) == pytest.approx(0.2)


def test_an_objective_of_which_nothing_was_seen_is_not_held() -> None:
    assert verdict_of(whole(planned()), objectives=[Objective("accept", "lte", 9, 0.95, "burst")]) == BROKEN


def test_rows_without_a_broker_of_their_own_wait_from_their_answer_on() -> None:
    row = Row(0, "steady", "noop", "acme", "done", None, ZERO, ZERO, ZERO + 1, None, ZERO + 3, ZERO + 4, ZERO + 4)
    assert (row.took("relay"), row.took("wait")) == (None, 2.0)
