"""Which cases there are, and what the table and the page say of them."""

from pathlib import Path

from accepted.faults.crossings import Crossing, Target, Window
from accepted.oracle.history import Effect, Event, History, Job
from accepted.oracle.verdict import Finding, Verdict
from accepted.sweep import table
from accepted.sweep.cases import Point, Result, chance, chances, full, matching, points, quick
from accepted.sweep.page import render
from accepted.sweep.stage import Stage
from accepted.sweep.sweep import Plan


def run(*names: str) -> list[Crossing]:
    window = Window()
    for name in names:
        window.begin("relay", "postgres", name)
    return window.shown()


def test_only_what_every_clean_run_crosses_is_a_point() -> None:
    found = points("payout.send", [run("a", "b", "b"), run("a", "b"), run("a", "b", "c")], [])
    assert [str(one) for one in found] == ["payout.send/relay → postgres: a #1", "payout.send/relay → postgres: b #1"]


def test_of_polling_the_first_stands_for_all() -> None:
    found = points(
        "email.send", [run("poll", "poll", "mark"), run("poll", "poll", "mark")], [("relay", "postgres", "poll")]
    )
    assert [(one.name, one.ordinal) for one in found] == [("poll", 1), ("mark", 1)]


POINTS = [Point("email.send", "worker-io", "postgres", name, n) for name in ("begin", "claim") for n in (1, 2)]


def test_each_point_is_killed_three_ways_and_in_a_tree_child_parent_and_tree_take_turns() -> None:
    cases = full(POINTS, {"worker-io"})
    assert len(cases) == 3 * len(POINTS)
    for point in POINTS:
        mine = [case for case in cases if case.point == point]
        assert {case.mode for case in mine} == {"before", "after", "reply"}
        assert {case.victim for case in mine} == {"child", "parent", "tree"}
    assert {case.victim for case in full(POINTS, set())} == {"child"}


def test_the_quick_choice_touches_every_class_once() -> None:
    assert [case.point.name for case in quick(POINTS, set())] == ["begin", "claim"]


def test_a_case_is_found_again_by_its_name_or_the_beginning_of_it() -> None:
    cases = full(POINTS, {"worker-io"})
    name = "email.send/worker-io → postgres: claim #2/after"
    assert [str(case) for case in matching(cases, [name])] == [name]
    assert len(matching(cases, ["email.send/worker-io → postgres: claim"])) == 6
    assert matching(cases, ["email.send/worker-io → postgres: cla"]) == []


def test_random_kills_follow_from_the_seed_and_can_be_replayed_by_name() -> None:
    drawn = chances(20, 7, ["email.send"], {"web"}, ["relay", "web"])
    assert drawn == chances(20, 7, ["email.send"], {"web"}, ["relay", "web"])
    assert drawn != chances(20, 8, ["email.send"], {"web"}, ["relay", "web"])
    assert all(abs(chance(str(one)).after - one.after) < 0.001 for one in drawn)


def test_a_window_chooses_the_crossing_that_the_target_means() -> None:
    window = Window(Target("relay", "redis", "EXEC", 2, "after"))
    assert [window.begin("relay", "redis", "EXEC").chosen for _ in range(3)] == [False, True, False]
    assert not window.begin("worker", "redis", "EXEC").chosen


def test_a_longer_lease_for_a_busy_machine_reaches_every_process() -> None:
    plan = Plan(Path("solutions"), "rq", lease=5)
    assert Stage(plan.tree, plan.backend, env=plan.env).env["LEASE"] == "5"


def result(name: str, *flaws: str, unknown: str | None = None) -> Result:
    verdict = Verdict(tuple(Finding(flaw, "k", "how") for flaw in flaws), unknown)  # type: ignore[arg-type]
    return Result(name, "email.send", "worker-io", verdict, 1.0, "child", killed=True)


def test_the_table_counts_and_the_exit_code_is_never_a_pass_by_silence() -> None:
    good, bad, unknown = result("a"), result("b", "lost", "illegal"), result("c", unknown="not reached")
    assert table.row([good, bad, unknown], 9) == [9, 3, 1, 0, 0, 0, 1, 1]
    assert [table.EXIT[table.outcome(one)] for one in ([good], [good, bad, unknown], [good, unknown], [])] == [
        0,
        1,
        3,
        3,
    ]
    said = table.lines([good, bad], {("email.send", "worker-io"): 9})
    assert said[0].split() == list(table.HEAD)
    assert said[-1].split() == ["all", "9", "2", "1", "0", "0", "0", "1", "0"]


def test_the_page_has_all_witnesses_on_one_axis_and_nothing_from_elsewhere() -> None:
    history = History(
        jobs=(Job("j", "email.send", "<key>", "succeeded"),), events=(Event("j", 1, "queued", 0, 10.2),),
        effects=(Effect("email", "<key>", 1, 10.4),),
    )  # fmt: skip
    crossing = Crossing("worker-io", "partner", "POST /v1/emails", 1, 10.3)
    bad = Result("email.send/x", "email.send", "worker-io", Verdict((Finding("lost", "<key>", "why"),)), 1.0,
                 history=history, crossings=(crossing,), marks=((10.35, "SIGKILL child (7,)"),))  # fmt: skip
    text = render(bad, "accepted sweep --only 'email.send/x'")
    order = [text.index(part) for part in ("queued 0 %", "POST /v1/emails #1", "SIGKILL child", "email &lt;key&gt;")]
    assert order == sorted(order)
    assert "<key>" not in text
    assert "http://" not in text and "https://" not in text and "<script" not in text
