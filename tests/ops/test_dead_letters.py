"""What is given up is kept with all that helps and nothing personal, and leaves only by somebody's hand."""

import threading
from collections.abc import Callable

import pytest
from app.shared import dead_letters, jobs
from app.shared.core import Failure, LostLease
from app.shared.letters import Choice
from sqlalchemy.orm import Session

from billing.db import unit
from tests.ops.conftest import TRACE, House

BROKEN = "https://broken.example/hooks"


def test_a_parked_job_is_kept_with_what_helps_to_understand_it(house: House) -> None:
    failure = Failure("HTTP 503", "no answer for zoe@customers.example", 503, retry_after=2, endpoint=BROKEN)
    job = house.dead("webhook.deliver", failure, args={"subscriber_id": 7, "email": "zoe@customers.example"})
    with unit() as s:
        (letter,) = dead_letters.listing(s)
    wanted = {
        "job_id": job.id,
        "tenant_id": "acme",
        "kind": "webhook.deliver",
        "queue": "webhooks",
        "natural_key": job.natural_key,
        "reason": "not worth a retry",
        "error_class": "HTTP 503",
        "error_message": "no answer for [redacted]",
        "endpoint": BROKEN,
        "attempts": 1,
        "deliveries": 1,
        "trace_id": TRACE,
    }
    assert letter.items() >= wanted.items()
    assert letter["context"]["args"] == {"subscriber_id": 7, "email": "[redacted]"}
    assert letter["context"]["status"] == 503
    assert house.look(job) == "failed"
    assert house.look(job, "error") == {"class": "HTTP 503", "message": "no answer for [redacted]", "status": "503"}
    assert house.one("SELECT message FROM job_events WHERE job_id = %s ORDER BY seq DESC", job.id).startswith("failed:")


def test_a_worker_that_was_taken_over_parks_nothing(house: House) -> None:
    job = house.accept()
    stale = house.claim(job)
    house.rows("UPDATE jobs SET lease_until = now() - interval '1 s'")
    with unit() as s:
        from app.shared import claims

        claims.expired(s)
    with pytest.raises(LostLease), unit() as s:
        dead_letters.park(s, stale.job, "mine", Failure("E", "m"), fence=stale.fence)
    assert house.look(job) == "queued"
    assert house.one("SELECT count(*) FROM dead_letters") == 0


def test_a_job_at_its_end_is_not_parked_a_second_time(house: House) -> None:
    job = house.dead()
    with unit() as s:
        assert not dead_letters.park(s, job, "again", Failure("E", "m"))
    assert house.one("SELECT count(*) FROM dead_letters") == 1


def test_bytes_that_are_no_message_are_described_but_not_kept(house: House) -> None:
    raw = b"\x80\x04\x95 Zo\xc3\xab \xc5\xbb\xc3\xb3\xc5\x82\xc4\x87 zoe@customers.example " + b"x" * 5000
    house.eager.broker.put("reports", raw)
    house.eager.drain()
    with unit() as s:
        (letter,) = dead_letters.listing(s)
    assert letter["queue"] == "reports"
    assert letter["error_class"] == "Undecodable"
    assert letter["context"]["size"] == len(raw)
    assert len(letter["context"]["sha256"]) == 64
    assert len(letter["context"]["head"]) <= 200
    assert "zoe" not in str(letter).lower()
    assert "Żół" not in str(letter)


def test_the_same_bytes_over_and_over_are_one_letter(house: House) -> None:
    for raw in (b"junk", b"junk", b"other", b"junk"):
        house.eager.broker.put("reports", raw)
    house.eager.drain()
    assert sorted(row[0] for row in house.rows("SELECT deliveries FROM dead_letters")) == [1, 3]


def test_a_requeue_starts_the_job_again_once(house: House) -> None:
    job = house.dead()
    house.publish()
    house.eager.broker.purge("noops")  # the first message is gone, as it is when a worker has taken it
    fence = house.look(job, "fence")
    for _ in range(2):  # twice is harmless
        with unit() as s:
            done, skipped = dead_letters.requeue(s, Choice(trace=TRACE), "ada")
    assert (done, skipped) == ([], [])
    assert house.rows("SELECT state, failures, deliveries, requeues, percent, error FROM jobs") == [
        ("queued", 0, 0, 1, 0, None)
    ]
    assert house.one("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 1
    assert house.audit() == [("ada", "requeue", f"trace={TRACE}")]
    assert house.eager.drain().runs == 1
    assert house.look(job) == "succeeded"
    assert house.look(job, "fence") == fence + 1
    seqs = [row[0] for row in house.rows("SELECT seq FROM job_events WHERE job_id = %s ORDER BY seq", job.id)]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("action", ["requeue", "purge"])
def test_two_operators_at_once_act_once(house: House, action: str) -> None:
    house.dead()
    acts: dict[str, Callable[[Session], int]] = {
        "requeue": lambda s: len(dead_letters.requeue(s, Choice(queue="noops"), "ada")[0]),
        "purge": lambda s: len(dead_letters.purge(s, Choice(queue="noops"), "ada", "test")[0]),
    }
    counts: list[int] = []

    def second() -> None:
        with unit() as s:
            counts.append(acts[action](s))

    with unit() as s:
        assert acts[action](s) == 1
        other = threading.Thread(target=second)
        other.start()
        house.until_somebody_waits_for_a_lock()
    other.join(20)
    assert counts == [0]
    assert len(house.audit()) == 1


def test_what_fails_again_is_a_new_letter_with_its_own_figures(house: House) -> None:
    job = house.dead()
    with unit() as s:
        dead_letters.requeue(s, Choice(), "ada")
    house.park(job)
    assert house.rows("SELECT attempts, requeued_at IS NOT NULL FROM dead_letters ORDER BY id") == [
        (1, True),
        (1, False),
    ]
    with unit() as s:
        assert dead_letters.size(s) == {"noops": 1}


def test_each_filter_chooses_its_own(house: House) -> None:
    here = house.dead("email.send", Failure("HTTP 410", "gone", 410, endpoint=BROKEN))
    house.dead("noop", Failure("WorkerKilled", "poison"), trace="2" * 32)
    with unit() as s:
        number = dead_letters.listing(s, Choice(kind="email.send"))[0]["id"]
        for choice in (
            Choice(queue="emails"),
            Choice(kind="email.send"),
            Choice(endpoint=BROKEN),
            Choice(trace=TRACE),
            Choice(error="HTTP 410"),
            Choice(ids=(number,)),
            Choice(tenant="acme", queue="emails", error="HTTP 410"),
        ):
            assert [row["job_id"] for row in dead_letters.listing(s, choice)] == [here.id], choice
        assert dead_letters.listing(s, Choice(tenant="bolt")) == []
        assert len(dead_letters.listing(s)) == 2
        assert len(dead_letters.listing(s, limit=1)) == 1


def test_broken_endpoints_can_be_read_off(house: House) -> None:
    for endpoint, count in ((BROKEN, 3), ("https://slow.example/hooks", 1)):
        for _ in range(count):
            house.dead("webhook.deliver", Failure("HTTP 500", "oops", 500, endpoint=endpoint))
    house.dead("noop")
    with unit() as s:
        found = dead_letters.by_endpoint(s)
    assert [(row["endpoint"], row["dead_letters"]) for row in found] == [
        (BROKEN, 3),
        ("https://slow.example/hooks", 1),
        (None, 1),
    ]
    assert found[0]["error_classes"] == ["HTTP 500"]


def test_a_purge_closes_for_good_and_says_who_and_why(house: House) -> None:
    job = house.dead()
    with unit() as s:
        (number,) = dead_letters.purge(s, Choice(queue="noops"), "ada", "a bench, agreed with bob@team.example")[0]
    assert house.look(job) == "failed"
    assert house.audit() == [("ada", "purge", "queue=noops")]
    assert house.one("SELECT detail ->> 'reason' FROM audit") == "a bench, agreed with [redacted]"
    with unit() as s:
        assert dead_letters.size(s) == {}
        assert dead_letters.requeue(s, Choice(ids=(number, 999)), "ada") == ([], [(999, "unknown"), (number, "closed")])
        assert dead_letters.purge(s, Choice(ids=(number,)), "ada", "") == ([], [(number, "closed")])
        assert [row["id"] for row in dead_letters.listing(s, closed=True)] == [number]
    assert len(house.audit()) == 1


def test_bytes_that_were_no_message_can_be_purged_but_not_requeued(house: House) -> None:
    with unit() as s:
        dead_letters.park_raw(s, b"junk", "reports", "undecodable")
    with unit() as s:
        done, skipped = dead_letters.requeue(s, Choice(queue="reports"), "ada")
        assert (done, [why for _, why in skipped]) == ([], ["no job"])
        assert len(dead_letters.purge(s, Choice(queue="reports"), "ada", "junk")[0]) == 1


def test_a_dry_run_does_nothing(house: House) -> None:
    job = house.dead()
    with unit() as s:
        assert dead_letters.requeue(s, Choice(), "ada", dry_run=True)[0] == [job.id]
        assert len(dead_letters.purge(s, Choice(), "ada", "", dry_run=True)[0]) == 1
    assert house.look(job) == "failed"
    assert house.audit() == []
    assert jobs.KINDS
