"""A deployment that is up elsewhere is loaded as a tree is, and taken at its word. A stranger's never is."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from accepted.faults.proxy import Proxies
from accepted.load import deployment, remote
from accepted.load.deployment import Deployment
from accepted.load.plan import Objects
from accepted.load.scenario import Phase, Scenario, Work
from accepted.stack.errors import Problem
from accepted.stack.processes import until
from accepted.stack.run import Stack
from accepted.stack.state import root
from billing.seed import token

SCENARIO = """\
schema: scenario/v1
title: A little of everything that a stranger's system can be asked for
jobs:
  - {kind: payout.send, share: 0.4}
  - {kind: email.send, share: 0.2}
  - {kind: webhook.fanout, share: 0.2}
  - {kind: report.export, share: 0.2}
phases:
  - {warmup: 1s, rate: 5}
  - {steady: 4s, rate: 5}
  - {drain: until_empty, max: 4s, rate: 1}
"""


VALID = {0, 97, 98, 99}  # a starved machine may make any run invalid, never wrong


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Stack]:
    with Stack(root() / "solutions", runs=tmp_path / "runs", seed=1000, name="elsewhere") as stack:
        yield stack


def load(*words: str, results: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "accepted.cli", "load", *words, "--results", str(results)]
    environ = {name: value for name, value in os.environ.items() if name not in ("TREE", "BACKEND")}
    return subprocess.run(command, env=environ, cwd=root(), capture_output=True, text=True, timeout=240)


def connected(stack: Stack) -> psycopg.Connection:
    return psycopg.connect(stack.addresses.database, autocommit=True)


def tenants(stack: Stack) -> dict[str, Objects]:
    with connected(stack) as database:
        rows = database.execute("SELECT id FROM payout_accounts WHERE tenant_id = 'acme' AND currency = 'EUR'")
        return {"acme": Objects(token("acme"), (), [row[0] for row in rows])}


def asked_for(stack: Stack) -> frozenset[str]:
    """One payout, accepted."""
    (of,) = tenants(stack).values()
    body = {"account_id": of.accounts[0], "amount_cents": 100, "currency": "EUR", "reference": f"r{time.time_ns()}"}
    headers = {"Authorization": f"Bearer {of.token}", "Idempotency-Key": f"k{time.time_ns()}"}
    answer = httpx.post(f"{stack.addresses.web}/v1/payouts", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return frozenset([answer.json()["job"]["id"]])


def asked(stack: Stack, folder: Path, *words: str) -> list[str]:
    """The words of a run against it."""
    written_to, scenario = folder / "tenants.yaml", folder / "few.yaml"
    written = {name: {"token": of.token, "accounts": of.accounts} for name, of in tenants(stack).items()}
    written_to.write_text(json.dumps(written))
    scenario.write_text(SCENARIO)
    return [str(scenario), "--url", stack.addresses.web, "--tenants", str(written_to), *words]


def test_a_deployment_is_loaded_twice_and_every_job_is_found_again_by_http_alone(
    elsewhere: Stack, tmp_path: Path
) -> None:
    words = asked(elsewhere, tmp_path, "--json")
    for _ in range(2):  # the second finds other invoices: told twice, they would be the first's work
        done = load(*words, results=tmp_path)
        assert done.returncode in VALID - {97}, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert not any("earlier run" in why for why in told["invalid"]), told["invalid"]
        counts = told["summary"]["counts"]
        assert counts["done"] == counts["accepted"] == counts["sent"] > 20
        assert told["summary"]["lost"] == told["summary"]["stuck"] == []
        judged = {each["metric"] for each in told["objectives"]}
        assert {"accept", "end_to_end", "lost"} <= judged
        assert not judged & {"duplicated", "phantom"}, "nobody sees the ledger from there"
        manifest = json.loads((Path(told["bundle"]) / "manifest.json").read_text())
        assert manifest["tree"] == elsewhere.addresses.web
        time.sleep(1.1)  # the folder of a run is named by its second


def test_a_deployment_whose_workers_are_gone_has_lost_what_it_accepted(elsewhere: Stack, tmp_path: Path) -> None:
    for pool in ("worker-io", "worker-cpu"):
        elsewhere.runner.stop(pool)
    done = load(*asked(elsewhere, tmp_path, "--json"), results=tmp_path)
    told = json.loads(done.stdout)
    assert told["code"] in {97, 98}
    assert len(told["summary"]["lost"]) == told["summary"]["counts"]["accepted"] > 20


def test_who_goes_from_one_state_to_the_next_between_two_pages_is_not_taken_for_over(elsewhere: Stack) -> None:
    elsewhere.runner.stop("worker-io")
    with Deployment(elsewhere.addresses.web, tenants(elsewhere)) as there, connected(elsewhere) as database:
        (job,) = asked_for(elsewhere)

        def to_and_fro(request: httpx.Request) -> None:
            """Queued where the running are asked for, running where the queued are: on no page at all."""
            if state := {"queued": "running", "running": "queued"}.get(request.url.params.get("state", "")):
                database.execute("UPDATE jobs SET state = %s WHERE id = %s", (state, job))

        there.http.event_hooks = {"request": [to_and_fro]}
        assert job in there.unfinished(frozenset([job]))


def test_a_line_that_is_cut_once_does_not_end_the_wait(elsewhere: Stack) -> None:
    where = urlsplit(elsewhere.addresses.web)
    with Proxies() as proxies:
        port = proxies.listen("client", "web", "http", "127.0.0.1", where.port or 0)
        with Deployment(f"http://127.0.0.1:{port}", tenants(elsewhere)) as there:
            (job,) = ours = asked_for(elsewhere)
            assert remote.unfinished(there, ours) is not None
            blind = proxies.silence("client")
            there.http.timeout = httpx.Timeout(0.5)
            assert remote.unfinished(there, ours) is None
            blind()
            there.http.timeout = httpx.Timeout(30)
            assert until(lambda: remote.unfinished(there, ours) == {}, 20)
            assert {each["id"] for each in there.jobs(ours)} == {job}


def test_a_token_that_is_not_good_is_told_with_the_place_where_it_stands(elsewhere: Stack, tmp_path: Path) -> None:
    words = asked(elsewhere, tmp_path)
    (tmp_path / "tenants.yaml").write_text("acme: {token: wrong}")
    done = load(*words, results=tmp_path)
    assert done.returncode not in VALID
    assert "was answered with 401" in done.stderr
    assert "file of --tenants" in done.stderr


@pytest.mark.parametrize(
    ("url", "phases", "work", "why"),
    [
        ("https://example.com", (), (), "hosts of your own only"),
        ("localhost:8000", (), (), "is no address"),
        ("http://127.0.0.1:1", (Phase("fault", 9, 1, "kill_worker"),), (), "no fault is played"),
        ("http://127.0.0.1:1", (), (Work("payout.send", 1, poison=True),), "nothing is poisoned"),
    ],
)
def test_what_may_not_be_done_to_a_deployment_is_said_before_anything_is_sent(
    url: str, phases: tuple[Phase, ...], work: tuple[Work, ...], why: str
) -> None:
    scenario = Scenario("try", "", work, phases or (Phase("steady", 5, 3),))
    with pytest.raises(Problem, match=why):
        remote.check(scenario, url, mine=False)
    if "own" in why:
        remote.check(scenario, url, mine=True)


def test_a_word_on_a_deployment_that_nobody_named_is_not_passed_over(tmp_path: Path) -> None:
    done = load("burst", "--mine", results=tmp_path)
    assert done.returncode not in VALID
    assert "no --url is given" in done.stderr


def test_two_clocks_need_not_agree() -> None:
    job = {
        "id": "a", "kind": "webhook.fanout", "natural_key": "t:fanout:1:1:invoice.updated", "state": "succeeded",
        "accepted_at": "2020-01-01T00:00:00Z", "started_at": "2020-01-01T00:00:01Z", "attempts": 1,
        "finished_at": "2020-01-01T00:00:02Z", "parent_id": None, "result": {},
        "children": {"total": 1, "succeeded": 1},
    }  # fmt: skip
    child = {**job, "id": "b", "parent_id": "a", "kind": "webhook.deliver", "finished_at": "2020-01-01T00:00:05Z"}
    (found,) = deployment.seen([child, job], {"a": 1_000.0})
    assert (found.t_start, found.t_over) == (1_001.0, 1_002.0)
    assert found.children[0].t_over == 1_005.0
    assert found.wanted == 1
    began = datetime(2019, 12, 31, 23, 59, 58, tzinfo=UTC).timestamp()
    earlier = {**job, "id": "c", "accepted_at": "2019-12-31T23:00:00Z"}
    assert deployment.older([job, earlier], frozenset("ab"), began) == 0
    assert deployment.older([job, earlier], frozenset("ac"), began) == 1
