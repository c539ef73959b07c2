"""The operators' commands that change something: they ask first, and say what they did."""

import threading

import pytest

from tests.ops.conftest import TRACE, House


def test_just_the_jobs_of_one_trace_are_requeued(house: House) -> None:
    chosen = house.dead()
    other = house.dead(trace="2" * 32)
    found = house.ops_json("requeue", "--trace", TRACE, "--yes", "--by", "ada")
    assert found == {"dry_run": False, "count": 1, "requeued": [str(chosen.id)], "skipped": []}
    house.eager.drain()
    assert (house.look(chosen), house.look(other)) == ("succeeded", "failed")
    assert house.audit() == [("ada", "requeue", f"trace={TRACE}")]


def test_requeue_by_number_says_what_it_left_alone(house: House) -> None:
    house.dead()
    number = house.one("SELECT id FROM dead_letters")
    assert house.ops_json("requeue", "--id", str(number), "--id", "77", "--yes")["skipped"] == [
        {"id": 77, "why": "unknown"}
    ]
    assert house.ops_json("requeue", "--id", str(number), "--yes")["skipped"] == [{"id": number, "why": "closed"}]
    result = house.ops("requeue", "--id", "77", "--yes", exit_code=1)
    assert "There is no dead letter of that number" in result.stderr
    assert result.stdout == ""


def test_a_dry_run_needs_no_yes_and_does_nothing(house: House) -> None:
    job = house.dead()
    assert house.ops_json("requeue", "--all", "--dry-run") == {
        "dry_run": True,
        "count": 1,
        "requeued": [str(job.id)],
        "skipped": [],
    }
    assert house.ops_json("purge", "--all", "--dry-run", "--reason", "x")["count"] == 1
    assert house.look(job) == "failed"
    assert house.audit() == []


@pytest.mark.parametrize("command", [["requeue", "--all"], ["purge", "--all", "--reason", "x"]])
def test_without_a_terminal_what_matters_needs_a_yes(house: House, command: list[str]) -> None:
    job = house.dead()
    result = house.ops(*command, exit_code=2)
    assert "--yes" in result.stderr
    assert house.look(job) == "failed"
    assert house.audit() == []


@pytest.mark.parametrize(
    "command",
    [
        ["requeue", "--yes"],
        ["requeue", "--all", "--queue", "noops", "--yes"],
        ["purge", "--reason", "x", "--yes"],
        ["purge", "--all", "--yes"],  # no reason
        ["pause", "queue:nope"],
        ["resume", "everything"],
        ["jobs", "--state", "lost"],
        ["drain", "--timeout", "-1"],
        ["unknown"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_on_stdout(house: House, command: list[str]) -> None:
    assert house.ops(*command, exit_code=2).stdout == ""


def test_purge_gives_up_for_good(house: House) -> None:
    house.dead()
    number = house.one("SELECT id FROM dead_letters")
    assert house.ops_json("purge", "--queue", "noops", "--reason", "a bench", "--yes") == {
        "dry_run": False,
        "count": 1,
        "purged": [number],
        "skipped": [],
    }
    assert house.ops_json("dead-letters")["count"] == 0
    assert house.ops_json("dead-letters", "--closed")["count"] == 1


def test_pause_and_resume_say_whether_anything_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "grace")
    house.accept()
    house.publish()
    assert house.ops_json("pause", "all", "--reason", "deploy") == {"scope": "all", "paused": True, "changed": True}
    assert house.ops_json("pause", "all")["changed"] is False
    house.eager.drain()
    assert house.ops_json("resume", "all") == {"scope": "all", "paused": False, "changed": True, "republished": 1}
    assert house.ops_json("resume", "all")["changed"] is False
    assert [actor for actor, _, _ in house.audit()] == ["grace", "grace"]


# -- draining


def test_an_idle_house_is_drained_at_once(house: House) -> None:
    found = house.ops_json("drain")
    assert list(found) == ["drained", "waited_seconds", "left", "left_by_kind", "paused"]
    assert found["drained"] is True
    assert found["left"] == {"queued": 0, "running": 0, "retrying": 0}


def test_drain_waits_for_the_last_job(house: House) -> None:
    house.accept()
    worker = threading.Timer(0.5, house.eager.drain)
    worker.start()
    try:
        found = house.ops_json("drain", "--timeout", "20")
    finally:
        worker.join()
    assert found["drained"] is True
    assert 0.3 < found["waited_seconds"] < 20


def test_drain_says_what_is_left_at_the_deadline(house: House) -> None:
    house.accept()
    house.claim(house.accept("email.send"))
    house.ops("pause", "kind:noop")
    found = house.ops_json("drain", "--timeout", "0", exit_code=1)
    assert found["drained"] is False
    assert found["left"] == {"queued": 1, "running": 1, "retrying": 0}
    assert found["left_by_kind"] == [
        {"kind": "email.send", "queued": 0, "running": 1, "retrying": 0, "paused": False},
        {"kind": "noop", "queued": 1, "running": 0, "retrying": 0, "paused": True},
    ]
    assert found["paused"] == ["kind:noop"]
    assert "Paused work never drains" in house.ops("drain", "--timeout", "0", exit_code=1).stdout
