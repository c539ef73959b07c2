"""Who may follow a stream, and how it parts from clients: too many, foreign, slow, or the process itself at its end."""

from uuid import uuid4

import httpx
from app.shared import follow
from app.shared.follow import JobFollower

from .conftest import World, until
from .sse import advance, noop, path, said, serving


def test_streams_beyond_the_cap_are_sent_away_and_a_client_that_leaves_makes_room(world: World) -> None:
    job = noop(world)
    with serving(world, SSE_CAP="2") as stream:
        with stream.get(path(job)) as one, stream.get("/events") as other:
            assert (one.status_code, other.status_code) == (200, 200)
            refused = stream.status(path(job))
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.headers["Content-Type"].startswith("application/problem+json")
        until(lambda: stream.health()["streams"] == 0, "both slots to be free")
        assert stream.status(path(job)).status_code == 200


def test_another_tenants_job_and_an_unknown_one_get_the_same_answer(world: World) -> None:
    job = noop(world)
    with serving(world) as stream:
        foreign = stream.status(path(job), token=world.seeded.tokens["globex"])
        answers = [foreign, stream.status(f"/jobs/{uuid4()}/events"), stream.status("/jobs/nonsense/events")]
        assert [one.status_code for one in answers] == [404] * 3
        assert len({one.json()["detail"] for one in answers}) == 1
        assert stream.status(path(job), token="wrong").status_code == 401
        with stream.get("/events", token=world.seeded.tokens["globex"]) as response:
            found = said(response)
            next(found)
            world.claim(job)
            other = noop(world, "globex")
            one = next(one for one in found if one.data)
            assert one.data and one.data["job_id"] == str(other.id)


def test_a_last_event_id_that_we_never_sent_is_a_bad_request(world: World) -> None:
    job = noop(world)
    with serving(world) as stream:
        for where in (path(job), "/events"):
            for bad in ("x", "-1", "1.5", "٣", "9" * 30):
                answer = stream.status(f"{where}?last_event_id={bad}")
                assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_a_browser_of_our_page_may_read_with_its_cookie_and_of_no_other_page(world: World) -> None:
    from app.shared import auth

    job = noop(world)
    session = auth.session_for(world.seeded.tokens["acme"])
    assert session is not None
    with serving(world) as stream:
        with httpx.Client(base_url=stream.url, trust_env=False) as browser:
            ours = {"Origin": "http://127.0.0.1:8000", "Cookie": f"{auth.COOKIE}={session[0]}"}
            with browser.stream("GET", path(job), headers=ours) as response:
                assert response.status_code == 200
                assert response.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8000"
                assert response.headers["Access-Control-Allow-Credentials"] == "true"
            with browser.stream("GET", path(job), headers=ours | {"Origin": "http://evil.example"}) as response:
                assert "Access-Control-Allow-Origin" not in response.headers
            asked = browser.options(path(job), headers={"Origin": "http://127.0.0.1:8000"})
            assert "Last-Event-ID" in asked.headers["Access-Control-Allow-Headers"]


def test_sigterm_ends_open_streams_and_the_process(world: World) -> None:
    job = noop(world)
    with serving(world) as stream, stream.get(path(job)) as response:
        found = said(response)
        next(found)
        stream.process.terminate()
        assert list(found) == []
        assert stream.process.wait(5) == 0


def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(world: World) -> None:
    with serving(world) as stream, stream.get("/events", timeout=60) as idle:
        unread = said(idle)  # kept: the connection would close with it
        next(unread)
        job = noop(world)
        world.claim(job)
        with stream.get(path(job)) as quick:
            found = said(quick)
            next(found)
            _flood(world, 60)
            advance(job, 50)
            assert any(one.data and one.data["percent"] == 50 for one in found)
            until(lambda: stream.health()["streams"] == 1, "the client that does not read to be cut off", 30)


def test_a_client_that_lags_too_many_polls_behind_is_cut_off_before_it_fills_the_memory(world: World) -> None:
    follower, cuts = JobFollower(noop(world).id, "acme", 0), list[int]()
    follower.cut = lambda: cuts.append(1)
    for _ in range(follow.QUEUE):
        follower.offer(None)
    assert not cuts
    follower.offer(None)
    assert cuts


def _flood(world: World, times: int) -> None:
    """A few megabytes of events, more than socket buffers hold."""
    for _ in range(times):
        world.sql(
            "WITH j AS (INSERT INTO jobs"
            " (id, tenant_id, kind, natural_key, args, aggregate, seq, trace_id, traceparent)"
            " SELECT gen_random_uuid(), 'acme', 'noop', 'k', '{}', 'a', 0, 't', 'p' FROM generate_series(1, 400)"
            " RETURNING id) INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)"
            " SELECT id, 1, 'acme', 'queued', 0, repeat('x', 500) FROM j"
        )
