"""Server-sent events, from a real stream process."""

import threading
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from app.shared import jobs, progress
from app.shared.core import Job

from billing.db import unit

from .conftest import World
from .sse import Said, advance, events, noop, path, said, serving


def finish(job: Job, state: str = "succeeded") -> None:
    with unit() as s:
        assert jobs.set_state(s, job.id, state, extras={"finished": True})


def test_a_job_is_followed_from_its_first_event_to_its_end_which_ends_the_stream(world: World) -> None:
    job = noop(world)
    with serving(world) as stream, stream.get(path(job)) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        found = said(response)
        first = next(found)
        assert (first.id, first.data and first.data["state"]) == ("1", "queued")
        world.claim(job)
        advance(job, 40)
        finish(job)
        rest = list(found)
    told = [one.data for one in rest if one.data]
    assert [one.id for one in rest] == ["2", "3", "4"]
    assert [(one["state"], one["percent"]) for one in told] == [("running", 0), ("running", 40), ("succeeded", 40)]
    assert told[1]["message"] == "at 40"
    assert all(one["job_id"] == str(job.id) for one in told)


def test_who_comes_back_after_the_end_is_told_to_stay_away(world: World) -> None:
    job = noop(world)
    world.claim(job)
    finish(job)
    with serving(world) as stream:
        with stream.get(path(job)) as response:
            assert [one.id for one in said(response)] == ["1", "2", "3"]
        assert stream.status(path(job), {"Last-Event-ID": "3"}).status_code == 204
        assert stream.status(f"{path(job)}?last_event_id=3").status_code == 204
        with stream.get(f"{path(job)}?last_event_id=0", {"Last-Event-ID": "2"}) as response:  # the header wins
            assert [one.id for one in said(response)] == ["3"]


def test_a_requeued_job_is_followed_past_its_first_end(world: World) -> None:
    job = noop(world)
    world.claim(job)
    finish(job, "failed")
    with unit() as s:
        assert jobs.restart(s, job.id)
    with serving(world) as stream, stream.get(path(job)) as response:
        found = said(response)
        assert [next(found).id for _ in range(4)] == ["1", "2", "3", "4"]
        world.claim(job)
        finish(job)
        assert [one.id for one in found] == ["5", "6"]


@pytest.mark.parametrize("seed", range(3))
def test_however_often_a_client_is_cut_off_it_sees_each_event_of_its_job_once_and_in_order(
    world: World, seed: int
) -> None:
    rng, job, total = Random(seed), noop(world), 120
    world.claim(job)
    writer = threading.Thread(target=lambda: [advance(job, n * 100 // total) for n in range(total)] and finish(job))
    seen: list[str] = []
    with serving(world) as stream:
        writer.start()
        while len(seen) < total + 3:
            with stream.get(path(job), {"Last-Event-ID": seen[-1]} if seen else {}) as response:
                for one in events(response, rng.randint(1, 25)):
                    assert one.id is not None
                    seen.append(one.id)
        writer.join(10)
    assert seen == [str(n) for n in range(1, total + 4)]


@pytest.mark.parametrize("seed", range(3))
def test_however_often_a_client_is_cut_off_it_sees_each_event_of_its_tenant_once(world: World, seed: int) -> None:
    """While six transactions at a time write, overlap, and commit in another order than they began."""
    rng = Random(seed)
    wanted: set[tuple[str, int]] = set()
    seen: list[tuple[str, int]] = []
    with serving(world) as stream:
        with stream.get("/events") as response:
            place = next(said(response)).id
        assert place is not None
        writers = [threading.Thread(target=_write, args=(world, Random(seed * 10 + n), wanted)) for n in range(6)]
        for one in writers:
            one.start()
        reading = True
        while reading:
            with stream.get("/events", {"Last-Event-ID": place}, timeout=2) as response:
                try:
                    enough = rng.choice((rng.randint(1, 5), rng.randint(60, 120)))  # mostly read back, or live
                    for one in said(response):
                        if one.data and one.id:
                            place = one.id
                            seen.append((one.data["job_id"], one.data["seq"]))
                            enough -= 1
                        if not enough:
                            break
                except httpx.ReadTimeout:  # nothing more within two seconds
                    reading = any(one.is_alive() for one in writers)
    assert len(seen) == len(set(seen)), "an event came twice"
    assert set(seen) == wanted


def _write(world: World, rng: Random, wanted: set[tuple[str, int]]) -> None:
    """Thirty jobs, some of them several in a transaction that stays open for a while; some are another tenant's."""
    with psycopg.connect(world.env["DATABASE_URL"]) as connection:
        for _ in range(15):
            for _ in range(rng.randint(1, 4)):
                job, mine = str(uuid4()), rng.random() < 0.8
                for seq in range(1, rng.randint(2, 4)):
                    _event(connection, job, "acme" if mine else "globex", seq)
                    if mine:
                        wanted.add((job, seq))
                threading.Event().wait(rng.uniform(0, 0.05))
            connection.commit()


def _event(connection: psycopg.Connection[Any], job: str, tenant: str, seq: int) -> None:
    if seq == 1:
        connection.execute(
            "INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)"
            " VALUES (%s, %s, 'noop', 'k', '{}', 'a', 0, 't', 'p')",
            (job, tenant),
        )
    connection.execute(
        "INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message) VALUES (%s, %s, %s, 'queued', 0, '')",
        (job, seq, tenant),
    )


def test_an_event_that_was_written_early_and_commits_late_is_not_lost(world: World) -> None:
    late, early = noop(world), noop(world)
    with serving(world) as stream, stream.get("/events") as response:
        found = said(response)
        next(found)
        with psycopg.connect(world.env["DATABASE_URL"]) as connection:
            _event(connection, str(late.id), "acme", 2)  # takes its transaction's number, and stays open
            world.claim(early)
            one = next(one for one in found if one.data)
            assert one.data and one.data["job_id"] == str(early.id)
            connection.commit()
        two = next(one for one in found if one.data)
        assert two.data and two.data["job_id"] == str(late.id)


def test_what_happens_between_reading_the_list_and_following_it_is_not_missed(world: World) -> None:
    with unit() as s:
        since = progress.cursor(s)
    job = noop(world)
    with serving(world) as stream, stream.get(f"/events?since={since}") as response:
        (one,) = events(response, 1)
    assert one.data and one.data["job_id"] == str(job.id)


def test_a_backlog_longer_than_a_page_comes_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with unit() as s:
        since = progress.cursor(s)
    world.sql(
        "WITH j AS (INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)"
        " SELECT gen_random_uuid(), 'acme', 'noop', 'k', '{}', 'a', 0, 't', 'p' FROM generate_series(1, 2500)"
        " RETURNING id) INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)"
        " SELECT id, 1, 'acme', 'queued', 0, '' FROM j"
    )
    with serving(world) as stream, stream.get(f"/events?since={since}") as response:
        found = events(response, 2500)
    assert len({one.data["job_id"] for one in found if one.data}) == 2500


def test_a_quiet_stream_has_a_heartbeat_which_moves_the_place_to_resume_from(world: World) -> None:
    job = noop(world)
    with serving(world, SSE_HEARTBEAT="0.1") as stream:
        with stream.get(path(job)) as response:
            found = said(response)
            assert next(found).data
            assert [next(found) for _ in range(2)] == [Said(None, None, comment=True)] * 2
        with stream.get("/events") as response:
            found = said(response)
            first = next(found).id
            noop(world, "globex")  # moves the world on, but not this tenant's
            moved = next(one for one in found if one.comment and one.id != first)
        noop(world)
        with stream.get("/events", {"Last-Event-ID": moved.id or ""}) as response:
            assert len(events(response, 1)) == 1


def test_when_its_database_connections_break_a_stream_stays_open_and_misses_nothing(world: World) -> None:
    job = noop(world)
    world.claim(job)
    with serving(world, SSE_HEARTBEAT="0.2") as stream, stream.get(path(job)) as response:
        found = said(response)
        assert [next(found).id for _ in range(2)] == ["1", "2"]
        for n in range(3):
            world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stream'")
            advance(job, n)
            assert next(one for one in found if one.data).id == str(3 + n)
