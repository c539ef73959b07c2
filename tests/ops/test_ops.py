"""What an operator types, and what it answers: to people, to programs, and when things are down."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from app.shared.core import Failure
from app.shared.ops import ops
from app.shared.owners import OWNERS
from click.testing import CliRunner
from flask import Flask

from accepted.stack import ports
from billing import db
from billing.settings import settings
from tests.ops.conftest import TRACE, House

ROOT = Path(__file__).resolve().parents[2]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


# -- looking


def test_queues_says_what_waits_where_and_whose_it_is(house: House) -> None:
    house.accept("report.export")
    house.accept("webhook.deliver")
    house.accept("webhook.fanout")
    house.publish()
    house.rows("UPDATE jobs SET accepted_at = accepted_at - interval '90 s' WHERE kind = 'webhook.fanout'")
    house.claim(house.accept("noop"))
    house.dead("email.send")
    house.ops("pause", "queue:reports")
    found = house.ops_json("queues")
    assert list(found) == ["broker", "paused", "outbox", "queues"]
    assert (found["broker"], found["paused"]) == ("up", ["queue:reports"])
    assert found["outbox"]["backlog"] == 2
    of = {one["queue"]: one for one in found["queues"]}
    assert set(of) == {"payouts", "emails", "webhooks", "noops", "reports"}
    assert list(of["webhooks"]) == [
        *("queue", "kinds", "depth", "oldest_ready_age_seconds", "queued", "running", "retrying", "paused"),
        *("dead_letters", "owner"),
    ]
    assert of["webhooks"]["kinds"] == ["webhook.fanout", "webhook.deliver"]
    assert (of["webhooks"]["depth"], of["webhooks"]["queued"]) == (2, 2)
    assert 90 <= of["webhooks"]["oldest_ready_age_seconds"] < 120
    assert (of["noops"]["running"], of["noops"]["oldest_ready_age_seconds"]) == (1, None)
    assert of["emails"]["dead_letters"] == 1
    assert [name for name, one in of.items() if one["paused"]] == ["reports"]
    assert of["payouts"]["owner"] == {
        "team": OWNERS["payouts"].team,
        "contact": OWNERS["payouts"].contact,
        "action": OWNERS["payouts"].action,
    }


def test_a_requeued_job_is_ready_since_its_requeue(house: House) -> None:
    house.dead()
    house.age("jobs", "accepted_at", "1 hour")
    house.ops("requeue", "--all", "--yes")
    of = {one["queue"]: one for one in house.ops_json("queues")["queues"]}
    assert of["noops"]["oldest_ready_age_seconds"] < 60


def test_every_queue_has_an_owner(house: House) -> None:
    assert set(house.eager.broker.queues()) == set(OWNERS)


def test_queues_works_with_the_broker_down(house: House) -> None:
    house.accept()
    house.eager.broker.down = True
    found = house.ops_json("queues")
    assert found["broker"] == "down"
    assert {one["depth"] for one in found["queues"]} == {None}
    assert sum(one["queued"] for one in found["queues"]) == 1
    assert "unknown" in house.ops("queues").stdout
    assert "broker is down" in house.ops("queues").stdout


def test_jobs_are_found_by_each_filter(house: House) -> None:
    dead = house.dead("email.send", Failure("HTTP 410", "no zoe@customers.example", 410))
    other = house.accept("noop", trace="2" * 32)
    for arguments in (
        ("--state", "failed"),
        ("--kind", "email.send"),
        ("--trace", TRACE),
        ("--key", dead.natural_key),
        ("--state", "failed", "--tenant", "acme"),
    ):
        assert [job["id"] for job in house.ops_json("jobs", *arguments)["jobs"]] == [str(dead.id)], arguments
    found = house.ops_json("jobs", "--limit", "1")
    assert (found["count"], found["more"]) == (1, True)
    assert found["jobs"][0]["id"] == str(other.id)  # newest first
    (job,) = house.ops_json("jobs", "--kind", "email.send")["jobs"]
    assert list(job) == [
        *("id", "tenant", "kind", "queue", "natural_key", "state", "percent", "message", "failures", "deliveries"),
        *("requeues", "parent_id", "trace_id", "accepted_at", "started_at", "due_at", "finished_at", "error"),
    ]
    assert job["error"] == {"class": "HTTP 410", "message": "no [redacted]", "status": "410"}
    assert RFC3339.fullmatch(job["finished_at"])
    assert job["due_at"] is None


def test_dead_letters_are_listed_and_counted_by_endpoint(house: House) -> None:
    for endpoint in ("https://a.example", "https://b.example", "https://a.example"):
        house.dead("webhook.deliver", Failure("HTTP 500", "oops", 500, endpoint=endpoint))
    found = house.ops_json("dead-letters", "--endpoint", "https://b.example")
    (letter,) = found["dead_letters"]
    assert (found["count"], found["more"]) == (1, False)
    assert list(letter) == [
        *(
            "id",
            "job_id",
            "tenant",
            "kind",
            "queue",
            "natural_key",
            "reason",
            "error_class",
            "error_message",
            "endpoint",
        ),
        *("attempts", "deliveries", "trace_id", "context", "parked_at", "requeued_at", "purged_at"),
    ]
    counted = house.ops_json("dead-letters", "--by-endpoint")["endpoints"]
    assert [(one["endpoint"], one["dead_letters"]) for one in counted] == [
        ("https://a.example", 2),
        ("https://b.example", 1),
    ]
    assert list(counted[0]) == [
        *("endpoint", "dead_letters", "tenants", "error_classes", "oldest_parked_at", "newest_parked_at"),
    ]
    assert "https://a.example" in house.ops("dead-letters", "--by-endpoint").stdout


# -- the shell around it


@pytest.mark.parametrize("command", sorted(ops.commands))
def test_every_command_shows_an_example(command: str) -> None:
    text = CliRunner().invoke(ops, [command, "--help"]).stdout
    assert "Example: flask --app app.shared.web ops" in text
    assert "--json" in text


@pytest.mark.parametrize("command", [["queues"], ["jobs"], ["dead-letters"], ["requeue", "--all", "--yes"], ["drain"]])
def test_without_postgres_it_says_so_in_one_line(
    house: House, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://127.0.0.1:{ports.free_port()}/accepted")
    settings.cache_clear()
    db.dispose()
    result = house.ops(*command, exit_code=1)
    assert "DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_it_is_a_command_of_the_web_app_and_logs_stay_off_stdout(house: House, postgres_url: str) -> None:
    """As an operator types it, with RQ's Redis down."""
    nowhere = f"redis://127.0.0.1:{ports.free_port()}/0"
    environment = os.environ | {
        "DATABASE_URL": postgres_url,
        "BACKEND": "rq",
        "REDIS_URL": nowhere,
        "BROKER_URL": nowhere,
        "SECRET_KEY": "x" * 40,
    }
    command = [sys.executable, "-m", "flask", "--app", "app.shared.web", "ops", "queues"]
    done = subprocess.run([*command, "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["broker"] == "down"
    table = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert "unknown" in table.stdout
    assert "\x1b" not in table.stdout


def test_it_can_be_registered_on_any_flask_app(house: House) -> None:
    app = Flask("any")
    app.cli.add_command(ops)
    result = app.test_cli_runner().invoke(args=["ops", "drain", "--json"])
    assert result.exit_code == 0


def on_a_terminal(arguments: list[str], environment: dict[str, str], typed: bytes = b"") -> tuple[int, str]:
    """Exit code, and what the terminal showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "--app", "app.shared.web", "ops", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        os.write(ours, typed)
        while select.select([ours], [], [], 60)[0]:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            shown += chunk
        return process.wait(10), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_terminal_gets_colours_and_is_asked_first(house: House, postgres_url: str) -> None:
    job = house.dead()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "REDIS_URL")}
    environment |= {"DATABASE_URL": postgres_url, "BACKEND": "memory", "SECRET_KEY": "x" * 40, "TERM": "xterm"}
    assert "\x1b[1m" in on_a_terminal(["dead-letters"], environment)[1]
    assert "\x1b" not in on_a_terminal(["dead-letters"], environment | {"NO_COLOR": "1"})[1]
    code, shown = on_a_terminal(["requeue", "--queue", "noops"], environment, b"n\n")
    assert "Requeue the failed jobs of queue=noops? [y/N]" in shown
    assert (code, house.look(job)) == (1, "failed")
    code, shown = on_a_terminal(["requeue", "--queue", "noops"], environment, b"y\n")
    assert (code, house.look(job)) == (0, "queued"), shown
