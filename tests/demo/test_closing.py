"""The closing count, on histories written by hand: it must not be talked into a pass."""

from typing import Any

import pytest

from accepted.demo.closing import judge, visible


def job(kind: str, key: str, state: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "natural_key": key,
        "state": state,
        "result": {},
        "requeues": 0,
        "retries": 0,
        "artifacts": 0,
        **more,
    }


PAYOUT = job("payout.send", "acme:payout:1:1")
REPORT = job("report.export", "acme:report:1:1", artifacts=1)
FANOUT = job("webhook.fanout", "acme:fanout:1:1")


def test_one_effect_each_holds() -> None:
    closing = judge([PAYOUT, REPORT, FANOUT], 0, {"charge": {"acme:payout:1:1": 1}})
    assert closing.holds
    assert closing.effects == {"acme:payout:1:1": 1, "acme:report:1:1": 1}


@pytest.mark.parametrize(
    ("jobs", "ledger", "complaint"),
    [
        ([PAYOUT], {"charge": {"acme:payout:1:1": 2}}, "acme:payout:1:1: 2 effects"),  # paid twice
        ([PAYOUT], {}, "acme:payout:1:1: 0 effects"),  # said to be done, and never paid
        ([], {"email": {"acme:email:9:1": 1}}, "nobody asked for: email acme:email:9:1"),  # a ghost
        ([job("report.export", "r")], {}, "r: 0 effects"),  # no artifact
        ([job("email.send", "e", "running")], {}, "1 jobs have not come to an end"),
        ([job("email.send", "e", "failed")], {}, "1 jobs are still among the dead letters"),
    ],
)
def test_anything_else_does_not(jobs: list[dict[str, Any]], ledger: dict[str, dict[str, int]], complaint: str) -> None:
    closing = judge(jobs, 0, ledger)
    assert not closing.holds
    assert any(complaint in wrong for wrong in closing.wrong)


def test_a_superseded_delivery_owes_no_effect() -> None:
    assert judge([job("webhook.deliver", "w", result={"superseded_by": 3})], 0, {}).holds


def test_on_a_sunny_day_nobody_asks_for_the_keys_only_for_as_many_effects_as_jobs() -> None:
    closing = visible([PAYOUT, REPORT, FANOUT], 0, {"charge": {"a key of its own": 1}})
    assert closing.holds
    assert closing.effects == {"charge": 1, "email": 0, "webhook": 0, "report": 1}


@pytest.mark.parametrize(
    ("jobs", "ledger", "complaint"),
    [
        ([PAYOUT], {"charge": {"one": 1, "two": 1}}, "charge: 2 effects for 1 jobs"),
        ([PAYOUT], {}, "charge: 0 effects for 1 jobs"),
        ([job("report.export", "r")], {}, "report: 0 effects for 1 jobs"),
        ([job("payout.send", "p", "running")], {"charge": {"p": 1}}, "1 jobs have not come to an end"),
    ],
)
def test_nor_does_a_sunny_day_forgive(
    jobs: list[dict[str, Any]], ledger: dict[str, dict[str, int]], complaint: str
) -> None:
    closing = visible(jobs, 0, ledger)
    assert not closing.holds
    assert complaint in closing.wrong
