"""`accepted up`, `down`, `status` and `logs`, as a person types them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from accepted.stack import processes
from accepted.stack.state import RunFolder

AllGone = Callable[..., bool]
Accepted = Callable[..., subprocess.CompletedProcess[str]]

# Everything but the app itself is real; the object store is left out to be quick.
ENVIRONMENT = {**os.environ, "OBJECT_STORE_URL": "memory://"}
COMMAND = [sys.executable, "-m", "accepted.cli"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A repository with a small tree; whatever a failing test leaves up is brought down."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "healthz").touch()
    (tmp_path / "solutions" / "Procfile").write_text(
        "web: python -m http.server $PORT --bind 127.0.0.1 --directory solutions\n"
        "relay: python -c \"import time; print('relay runs'); time.sleep(60)\"\n"
    )
    yield tmp_path
    subprocess.run([*COMMAND, "down", "--all"], cwd=tmp_path, timeout=60)


@pytest.fixture
def accepted(place: Path) -> Accepted:
    """Runs `accepted ...` in that repository."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=90
        )

    return run


def _state(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / ".accepted/runs/default/state.json").read_text())
    return found


def test_up_status_logs_and_down_in_the_background(accepted: Accepted, place: Path, all_gone: AllGone) -> None:
    up = accepted("up", "--detach", "--no-seed-data", "--scale", "relay=2", "--json")
    assert up.returncode == 0, up.stderr
    state = json.loads(up.stdout)
    assert state["phase"] == "up"
    pids = [state["supervisor"], *(one.pid for one in processes.tree(processes.members({}, {state["run_id"]})))]
    assert len(pids) > 6

    again = accepted("up", "--no-seed-data")
    assert again.returncode == 1
    assert again.stderr.startswith("Error: run default is already up: process ")
    assert again.stderr.endswith("Stop it with: accepted down\n")
    assert again.stderr.count("\n") == 1

    status = accepted("status", "--json")
    assert status.returncode == 0, status.stdout
    assert {record["name"]: record["health"] for record in json.loads(status.stdout)["processes"]} == dict.fromkeys(
        ["PostgreSQL", "Redis", "partner", "web", "relay.1", "relay.2"], "healthy"
    )
    assert "web            healthy" in accepted("status").stdout

    relays = accepted("logs", "relay").stdout.splitlines()
    assert sorted(line.split()[1] for line in relays) == ["relay.1", "relay.2"]
    assert all(line.endswith("| relay runs") for line in relays)
    assert "ready to accept connections" in accepted("logs", "postgres").stdout
    assert "no logs of wep: there are " in accepted("logs", "wep").stderr

    down = accepted("down")
    assert (down.returncode, down.stdout) == (0, "Stopped: default.\n")
    assert all_gone(pids, 0)
    assert accepted("down").stdout == "Nothing was up.\n"
    assert accepted("status").returncode == 1


@pytest.mark.parametrize("early", [False, True], ids=["once it is up", "in the middle of the boot"])
def test_ctrl_c_stops_everything(place: Path, all_gone: AllGone, early: bool) -> None:
    said = place / "said"
    with (
        said.open("w") as out,
        subprocess.Popen([*COMMAND, "up", "--no-seed-data"], cwd=place, env=ENVIRONMENT, stdout=out) as up,
    ):
        wanted = "booting" if early else "up"
        folder = RunFolder(place / ".accepted/runs/default")
        assert processes.until(lambda: (state := folder.load()) is not None and state.phase == wanted, 30, pause=0.005)
        if early:
            assert processes.until(lambda: len(psutil.Process(up.pid).children()) >= 3, 10, pause=0.002)
        else:  # as a person would: once it is said
            assert processes.until(lambda: "Client page" in said.read_text(), 10, pause=0.01)
        pids = [process.pid for process in psutil.Process(up.pid).children(recursive=True)]
        assert len(pids) >= (2 if early else 3)  # in the boot, one of the three may have been initdb, and be over
        up.send_signal(signal.SIGINT)
        up.wait(30)
    printed = said.read_text()
    assert up.returncode == (130 if early else 0)
    assert all_gone(pids, 0)
    assert printed.endswith("Everything is stopped.\n")
    if not early:
        assert "relay   | relay runs" in printed
        assert "Client page  http://127.0.0.1:" in printed
    assert not processes.members({}, {_state(place)["run_id"]})


def test_a_supervisor_that_was_killed_leaves_nothing_and_the_next_up_works(
    accepted: Accepted, place: Path, all_gone: AllGone
) -> None:
    state = json.loads(accepted("up", "--detach", "--no-seed-data", "--json").stdout)
    pids = [one.pid for one in processes.tree(processes.members({}, {state["run_id"]}))]
    os.kill(state["supervisor"], signal.SIGKILL)
    assert all_gone(pids, 10)
    assert processes.until(lambda: not any(Path(folder).exists() for folder in state["folders"]), 5)
    assert "Run default is dead" in accepted("status").stdout
    assert accepted("up", "--detach", "--no-seed-data").returncode == 0
    assert accepted("status").returncode == 0


def test_down_ends_what_was_written_down_where_nobody_is_left_to_ask(
    accepted: Accepted, place: Path, all_gone: AllGone
) -> None:
    state = json.loads(accepted("up", "--detach", "--no-seed-data", "--json").stdout)
    supervisor = psutil.Process(state["supervisor"])
    (tether,) = (one for one in supervisor.children() if "accepted.stack.tether" in one.cmdline())
    tether.kill()  # nobody ends the rest then
    supervisor.kill()
    assert all_gone([tether.pid, supervisor.pid])
    pids = [record["pid"] for record in state["processes"]]
    assert not all_gone(pids, 0)
    assert accepted("down").stdout == "Stopped: default.\n"
    assert all_gone(pids, 0)
    assert not any(Path(folder).exists() for folder in state["folders"])
    assert _state(place)["phase"] == "stopped"
    assert accepted("down").stdout == "Nothing was up.\n"


def test_a_boot_in_the_background_that_fails_is_reported_here(accepted: Accepted, place: Path) -> None:
    (place / "solutions" / "Procfile").write_text("release: echo no such table; exit 4\nweb: true\n")
    up = accepted("up", "--detach", "--no-seed-data")
    assert up.returncode == 1
    assert up.stderr.startswith("Error: release failed: ended with status 4. Its output is in ")
    assert "    no such table" in up.stderr
    assert "Traceback" not in up.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["up", "--backend", "kafka"], 2, "Invalid value for '--backend'"),
        (["up", "--scale", "relay"], 2, "is not NAME=NUMBER"),
        (
            ["up", "--tree", "nowhere"],
            1,
            "no such file or directory. Name the folder of a tree with a Procfile: --tree DIR.",
        ),
        (["up", "--web-port", "70000"], 1, "ports go from 1 to 65535"),
        (["logs"], 1, "no logs: run default was never up. Start it with: accepted up"),
        (["upp"], 2, "No such command 'upp'"),
        (["down", "--name", "a/b"], 1, "cannot name a run"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(accepted: Accepted, arguments: list[str], status: int, words: str) -> None:
    done = accepted(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    if status == 1:
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["up"], ["down"], ["status"], ["logs"]])
def test_every_command_explains_itself(accepted: Accepted, command: list[str]) -> None:
    done = accepted(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
