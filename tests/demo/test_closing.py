"""The closing count, on histories written by hand: it must not be talked into a pass."""

from typing import Any

import pytest

from accepted.demo.closing import judge


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
