"""A pause stops one thing and nothing else, and its end loses nothing."""

import pytest
from app.shared import control, jobs
from app.shared.core import Refused

from billing.db import unit
from tests.ops.conftest import House


def pause(scope: str) -> bool:
    with unit() as s:
        return control.pause(s, scope, "ada", "maintenance")


def resume(scope: str) -> int | None:
    with unit() as s:
        return control.resume(s, scope, "ada")


@pytest.mark.parametrize("scope", ["kind:noop", "queue:noops", "all"])
def test_what_is_paused_is_not_published_and_goes_on_after(house: House, scope: str) -> None:
    pause(scope)
    job = house.accept()
    assert house.eager.drain().runs == 0
    assert house.look(job) == "queued"
    assert resume(scope) == 0  # its message never left the outbox
    assert house.eager.drain().runs == 1
    assert house.look(job) == "succeeded"


def test_a_message_acknowledged_while_paused_is_published_again(house: House) -> None:
    job = house.accept()
    house.publish()
    pause("kind:noop")
    assert house.eager.drain().runs == 1  # delivered, refused, acknowledged: the broker is empty now
    assert house.eager.broker.depth("noops") == 0
    assert house.look(job) == "queued"
    assert resume("kind:noop") == 1
    house.eager.drain()
    assert house.look(job) == "succeeded"
    assert house.look(job, "deliveries") == 1  # the refusal counted for nothing


def test_others_go_on(house: House) -> None:
    pause("queue:payouts")
    job = house.accept("noop")
    house.eager.drain()
    assert house.look(job) == "succeeded"


def test_what_another_pause_covers_waits_for_its_end(house: House) -> None:
    job = house.accept()
    house.publish()
    pause("queue:noops")
    pause("kind:noop")
    house.eager.drain()
    assert resume("queue:noops") == 0
    with pytest.raises(Refused, match="paused"):
        house.claim(job)
    assert resume("kind:noop") == 1


def test_jobs_are_published_again_in_their_order(house: House) -> None:
    accepted = [house.accept("payout.send").id for _ in range(5)]
    house.publish()
    pause("all")
    house.eager.broker.purge("payouts")
    assert resume("all") == 5
    assert [
        row[0] for row in house.rows("SELECT job_id FROM outbox WHERE published_at IS NULL ORDER BY id")
    ] == accepted


def test_twice_changes_nothing_and_the_audit_tells_each_change_once(house: House) -> None:
    assert [pause("all"), pause("all")] == [True, False]
    assert [resume("all"), resume("all")] == [0, None]
    assert house.audit() == [("ada", "pause", "all"), ("ada", "resume", "all")]


@pytest.mark.parametrize("scope", ["", "everything", "queue:nope", "kind:nope", "queue:", "noops"])
def test_a_scope_that_names_nothing_is_refused_with_the_names(house: House, scope: str) -> None:
    with pytest.raises(control.UnknownScope, match=r"all, queue:payouts.*kind:noop"):
        pause(scope)


def test_what_is_paused_is_known_exactly_and_remembered_for_a_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit() as s:
        assert control.paused_kinds(s) == frozenset()
    pause("queue:webhooks")
    with unit() as s:
        assert control.paused(s, "webhook.deliver")
        assert not control.paused(s, "noop")
        assert control.paused_now(s) == {"webhook.deliver", "webhook.fanout"}
        assert control.paused_kinds(s) == frozenset()
        monkeypatch.setattr(control, "CACHE_SECONDS", 0.0)
        assert control._seen is not None
        monkeypatch.setattr(control, "_seen", (0.0, control._seen[1]))
        assert control.paused_kinds(s) == {"webhook.deliver", "webhook.fanout"}
    pause("all")
    with unit() as s:
        assert control.paused_now(s) == set(jobs.KINDS)
