"""`accepted doctor` on machines that lack something: the command that cures it, and an exit code to go by."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from accepted.loop import machine
from tests.loop.conftest import Typed, said

COMMAND = [sys.executable, "-m", "accepted.cli", "doctor"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with nothing on it but Debian's installer."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apt-get").write_text("#!/bin/sh\n")
    (folder / "apt-get").chmod(0o755)
    return folder


def examined(code: int, *arguments: str, **env: str) -> dict[str, dict[str, Any]]:
    environ = {**os.environ, **env}
    done = subprocess.run([*COMMAND, "--json", *arguments], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ready"] is (code == 0)
    return {one["name"]: one for one in found["findings"]}


def test_a_machine_that_runs_these_tests_lacks_nothing(accepted: Typed, here: Path) -> None:
    assert said(accepted("doctor", "--json"))["ready"] is True
    assert "make start" in accepted("doctor").output, "a tree that is not there yet is no illness"


def test_what_is_missing_has_the_command_that_cures_it(bare: Path) -> None:
    found = examined(1, PATH=str(bare))
    assert (found["make"]["status"], found["make"]["cure"]) == ("missing", "sudo apt-get install make")
    assert (found["git"]["status"], found["git"]["cure"]) == ("optional", "sudo apt-get install git")
    assert found["Chromium"]["cure"] == "sudo apt-get install chromium"
    assert all(one["cure"] for one in found.values() if one["status"] != "ok")


def test_rabbitmq_is_needed_by_those_who_chose_it_alone(bare: Path) -> None:
    (bare / "make").symlink_to(shutil.which("make") or "/usr/bin/make")
    env = {"PATH": str(bare), "BROKER_URL": ""}
    assert examined(0, **env)["RabbitMQ"] | {"found": ""} == {
        "name": "RabbitMQ", "status": "optional", "found": "", "cure": "make rabbitmq",
    }  # fmt: skip
    assert examined(1, BACKEND="celery-rabbitmq", **env)["RabbitMQ"]["status"] == "missing"
    given = env | {"BROKER_URL": "amqp://somewhere"}
    assert examined(0, BACKEND="celery-rabbitmq", **given)["RabbitMQ"]["status"] == "ok"


def test_the_servers_of_the_wheels_are_enough(bare: Path) -> None:
    if machine._postgres({"ACCEPTED_POSTGRES": "wheel"}).status != "ok":  # pragma: no cover
        pytest.skip("no wheel for this machine")
    found = examined(1, PATH=str(bare))
    assert "site-packages" in found["Redis"]["found"] and found["PostgreSQL"]["status"] == "ok"


def test_a_look_that_goes_wrong_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, accepted: Typed
) -> None:
    def breaks() -> machine.Finding:
        raise OSError("no such device")

    monkeypatch.setattr(machine, "_disk", breaks)
    result = accepted("doctor")
    assert result.exit_code == 1
    assert "no such device" in result.output and "Chromium" in result.output


def test_a_screen_that_can_not_show_the_marks_is_told_how(accepted: Typed) -> None:
    done = subprocess.run(
        [*COMMAND], env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, timeout=60
    )
    assert b"PYTHONUTF8=1" in done.stdout, done.stderr
    assert done.returncode == 1


def test_a_folder_of_somebody_else_has_the_command_that_makes_it_yours(tmp_path: Path) -> None:
    folder = tmp_path / "my kit"
    folder.mkdir(mode=0o555)
    nobody = "import os; from accepted.loop.machine import _writable; os.geteuid() or os.setuid(65534)\n"
    code = nobody + "print(_writable().cure)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"""sudo chown "$USER" '{folder}'\n""", done.stderr


def test_where_nobody_may_write_no_owner_is_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("who is not root can be made the owner")
    monkeypatch.chdir("/sys")
    assert "cd to a folder on another file system" in machine._writable().cure


def test_temporary_files_go_to_a_folder_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    assert "export TMPDIR=" in machine._writable().cure
