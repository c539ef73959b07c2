"""What is past its time goes in small batches; counters don't notice, and what somebody still needs stays."""

import threading

from app.shared import dead_letters, effects, outbox, retention
from app.shared.core import Receipt
from app.shared.gauges import TOTALS
from app.shared.letters import Choice

from billing.db import unit
from tests.ops.conftest import House

LONG = "8 days"


def counted(house: House) -> dict[tuple[str, str], int]:
    """Each counter as `/metrics` shows it: what live rows say, and what deleted ones said."""
    found: dict[tuple[str, str], int] = {}
    for name, each in TOTALS.items():
        for kind, value in house.rows(f"SELECT kind, sum({each}) FROM jobs GROUP BY kind"):
            found[kind, name] = int(value)
    for kind, name, value in house.rows("SELECT kind, name, value FROM counters"):
        found[kind, name] = found.get((kind, name), 0) + int(value)
    return {key: value for key, value in found.items() if value}


def test_a_job_past_its_time_goes_with_all_that_hangs_on_it(house: House) -> None:
    old = house.accept()
    house.eager.drain()
    house.age("jobs", "finished_at", LONG)
    young = house.accept()
    house.eager.drain()
    assert retention.clean()["jobs"] == 1
    assert house.ids() == {young.id}
    for table in ("job_events", "outbox", "job_steps"):
        assert house.one(f"SELECT count(*) FROM {table} WHERE job_id = %s", old.id) == 0


def test_no_counter_falls_when_jobs_go(house: House) -> None:
    for _ in range(3):
        house.accept()
    house.eager.drain()
    house.dead("email.send")
    with unit() as s:
        dead_letters.purge(s, Choice(), "ada", "test")
    before = counted(house)
    assert before["noop", "accepted"] == 3
    assert before["email.send", "failed"] == 1
    house.age("jobs", "finished_at", LONG)
    for left in (2, 0):  # in batches of two, as it would in many processes
        retention.clean(limit=2, budget=0)
        assert counted(house) == before
        assert len(house.ids()) == left


def test_a_parent_stays_as_long_as_any_of_its_children(house: House) -> None:
    parent = house.accept()
    child = house.accept(parent_id=parent.id)
    lingering = house.accept(parent_id=parent.id)
    house.eager.drain()
    house.rows("UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE id <> %s", lingering.id)
    assert retention.clean()["jobs"] == 0
    house.rows("UPDATE jobs SET state = 'running', finished_at = NULL WHERE id = %s", lingering.id)
    assert retention.clean()["jobs"] == 0
    assert house.ids() == {parent.id, child.id, lingering.id}
    house.rows(
        "UPDATE jobs SET state = 'succeeded', finished_at = now() - interval '8 days' WHERE id = %s", lingering.id
    )
    assert retention.clean()["jobs"] == 3
    assert house.one("SELECT value FROM counters WHERE kind = 'noop' AND name = 'accepted'") == 3


def test_a_family_larger_than_a_batch_goes_all_the_same(house: House) -> None:
    parent = house.accept()
    for _ in range(5):
        house.accept(parent_id=parent.id)
    house.eager.drain()
    house.age("jobs", "finished_at", LONG)
    assert retention.clean(limit=2)["jobs"] == 6


def test_a_family_that_is_not_ripe_is_not_in_the_way_of_others(house: House) -> None:
    parent = house.accept()
    child = house.accept(parent_id=parent.id)
    ripe = house.accept()
    house.eager.drain()
    house.rows("UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE id = %s", ripe.id)
    house.rows("UPDATE jobs SET finished_at = finished_at - interval '9 days' WHERE id = %s", parent.id)
    assert retention.clean(limit=1, budget=0)["jobs"] == 1
    assert house.ids() == {parent.id, child.id}


def test_a_failed_job_waits_for_somebodys_decision(house: House) -> None:
    job = house.dead()
    house.age("jobs", "finished_at", LONG)
    assert retention.clean()["jobs"] == 0
    with unit() as s:
        dead_letters.purge(s, Choice(), "ada", "test")
    assert retention.clean()["jobs"] == 1
    assert house.rows("SELECT job_id, natural_key FROM dead_letters") == [(None, job.natural_key)]


def test_a_child_that_is_requeued_meanwhile_saves_its_family(house: House) -> None:
    parent = house.accept()
    house.eager.drain()
    child = house.dead(parent_id=parent.id)
    house.rows("UPDATE dead_letters SET purged_at = now()")
    house.age("jobs", "finished_at", LONG)
    gone: list[int] = []
    with unit() as s:
        # The row is changed and not committed yet: the cleaner must wait for it, and then look again.
        changed = s.connection().exec_driver_sql(
            "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = %(id)s RETURNING id", {"id": child.id}
        )
        assert changed.first() is not None
        cleaner = threading.Thread(target=lambda: gone.append(retention.clean()["jobs"]))
        cleaner.start()
        house.until_somebody_waits_for_a_lock()
    cleaner.join(20)
    assert gone == [0]
    assert house.ids() == {parent.id, child.id}


def test_published_rows_go_once_the_search_for_lost_messages_looks_no_further(house: House) -> None:
    taken = house.accept()
    house.eager.drain()
    house.rows("INSERT INTO pauses (scope, actor) VALUES ('kind:email.send', 'ada')")
    waiting = house.accept("noop")
    house.publish()
    assert retention.clean()["outbox"] == 0
    house.age("outbox", "published_at", "11 minutes")
    assert retention.clean()["outbox"] == 0  # it was taken just now: evidence that the queue moves
    house.age("jobs", "started_at", "11 minutes")
    assert retention.clean()["outbox"] == 1
    assert house.rows("SELECT job_id FROM outbox") == [(waiting.id,)]
    assert house.look(taken) == "succeeded"


def test_an_unpublished_row_is_never_deleted(house: House) -> None:
    job = house.accept()
    house.age("outbox", "created_at", "1 year")
    house.age("jobs", "accepted_at", "1 year")
    retention.clean()
    assert house.rows("SELECT job_id FROM outbox") == [(job.id,)]
    with unit() as s:
        assert outbox.backlog(s)[0] == 1


def test_stored_answers_are_kept_for_a_day(house: House) -> None:
    for key, age in (("old", "25 hours"), ("young", "23 hours")):
        house.rows(
            "INSERT INTO idempotency_keys VALUES ('acme', 'POST /', %s, '', 202, '{}', '{}', now() - %s::interval)",
            key,
            age,
        )
    assert retention.clean()["idempotency_keys"] == 1
    assert house.rows("SELECT key FROM idempotency_keys") == [("young",)]


def test_steps_go_when_their_job_is_done_but_not_those_that_a_requeue_would_go_on_from(house: House) -> None:
    done, dead, running = house.accept(), house.accept(), house.accept()
    house.park(dead)
    house.claim(running)
    house.eager.drain()
    for job in (done, dead, running):
        house.rows("INSERT INTO job_steps (job_id, name, output, fence) VALUES (%s, 'query', '{}', 1)", job.id)
    assert retention.clean()["job_steps"] == 0
    house.age("jobs", "finished_at", "2 hours")
    assert retention.clean()["job_steps"] == 1
    assert {row[0] for row in house.rows("SELECT job_id FROM job_steps")} == {dead.id, running.id}


def test_effects_and_the_audit_are_kept_for_ever(house: House) -> None:
    job = house.accept()
    house.eager.drain()
    with unit() as s:
        dead_letters.note(s, "ada", "look", "x", {})
    house.age("jobs", "finished_at", "100 years")
    house.age("effects", "at", "100 years")
    house.age("audit", "at", "100 years")
    retention.clean()
    assert house.ids() == set()
    assert house.one("SELECT natural_key FROM effects") == job.natural_key
    again = house.accept(key=job.natural_key)  # asked again a century later: the effect is on record
    receipt = effects.once(job.natural_key, lambda key: Receipt("a second time"), claim=house.claim(again))
    assert receipt.reference != "a second time"
    assert len(house.audit()) == 1
