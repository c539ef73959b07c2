"""What docker-compose.yml promises, read as the file that it is: no engine is needed."""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from accepted.demo.compose import environment, require_secrets
from accepted.stack import procfile
from accepted.stack.environment import BACKENDS
from accepted.stack.errors import Problem
from billing.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SERVERS = {"postgres", "redis", "rabbitmq"}
LOOPBACK = re.compile(r"^127\.0\.0\.1:")


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def processes(services: dict[str, dict[str, Any]], backend: str) -> dict[str, dict[str, Any]]:
    """Procfile name → service, of one profile."""
    return {
        name.removeprefix(f"{backend}-"): service
        for name, service in services.items()
        if service.get("profiles") == [backend] and name not in SERVERS
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_profile_runs_the_procfile_line_by_line(services: dict[str, dict[str, Any]], backend: str) -> None:
    found = processes(services, backend) | {"release": services["release"]}
    lines = procfile.read(ROOT / "solutions" / "Procfile")
    assert {name: " ".join(service["command"]) for name, service in found.items()} == dict(lines)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_process_is_told_all_that_the_contract_asks_for(services: Any, backend: str) -> None:
    own_defaults = {"TREE", "PROCESS"}  # the image's, and the process's own
    table = (ROOT / "docs" / "contract.md").read_text().partition("## Environment")[2].partition("\n## ")[0]
    variables = set(
        re.findall(r"`([A-Z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert {name.upper() for name in Settings.model_fields} <= variables, "the contract's table was not read"
    for name, service in processes(services, backend).items():
        assert variables - own_defaults <= set(service["environment"]), name
        assert service["environment"]["BACKEND"] == backend
        assert service["environment"]["BROKER_URL"].startswith("amqp" if backend == "celery-rabbitmq" else "redis")


def test_nothing_has_a_right_that_it_does_not_need(services: Any) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["init"] is (name != "redis"), name
        assert service["read_only"] is (name != "rabbitmq"), name
        assert ("cap_add" in service) == (name in SERVERS), name
        assert "user" not in service, name  # the image's own, which is not root
        assert not service.get("privileged"), name
        assert not service.get("network_mode"), name
        assert all(not volume.startswith(("/", ".")) for volume in service.get("volumes", [])), name  # no host folder
    last = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")]
    assert last == ["USER 10001:10001"]


def test_only_what_clients_talk_to_is_published_and_only_on_loopback(services: Any) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    clients = {f"{backend}-{name}" for backend in BACKENDS for name in ("web", "stream")} | {"store"}
    assert set(published) == clients
    assert all(LOOPBACK.match(port) for ports in published.values() for port in ports)
    demo = yaml.safe_load((ROOT / "deploy" / "compose" / "demo.yml").read_text())["services"]
    assert all(LOOPBACK.match(port) for service in demo.values() for port in service["ports"])
    for name in SERVERS | {"release", "seed"}:
        assert services[name]["networks"] == ["inside"], name


def test_processes_wait_for_migrations_and_for_healthy_servers(services: Any) -> None:
    assert services["release"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for backend in BACKENDS:
        for name, service in processes(services, backend).items():
            waits = {other: how["condition"] for other, how in service["depends_on"].items()}
            assert waits.pop("release") == "service_completed_successfully", name
            assert set(waits.values()) == {"service_healthy"}, name
            assert set(waits) == {"redis", "store"} | ({"rabbitmq"} if backend == "celery-rabbitmq" else set())
    for name in (*SERVERS, "store", "partner", *(f"{b}-{p}" for b in BACKENDS for p in ("web", "stream"))):
        assert services[name]["healthcheck"]["test"][0].startswith("CMD"), name


def test_a_worker_has_time_to_end_the_job_at_hand(services: Any) -> None:
    longest = Settings.model_fields["time_box"].default + 5
    for backend in BACKENDS:
        for name, service in processes(services, backend).items():
            grace = int(service["stop_grace_period"].removesuffix("s"))
            assert grace >= (longest if name.startswith("worker") else 10), name


def test_secrets_are_made_up_once_and_never_land_in_the_file_the_image_or_the_history(
    tmp_path: Path, compose: Any
) -> None:
    file = tmp_path / ".env"
    with pytest.raises(Problem, match="make secrets"):
        require_secrets(file)
    script = [ROOT / "deploy" / "secrets", file]
    subprocess.run(script, check=True, capture_output=True)
    first = file.read_text()
    subprocess.run(script, check=True, capture_output=True)
    assert file.read_text() == first
    assert file.stat().st_mode & 0o077 == 0
    known = require_secrets(file)
    assert len({value for name, value in known.items() if name != "ARTIFACTS_URL"}) == len(known) - 1
    asked = set(re.findall(r"\$\{(\w+):\?run make secrets\}", (ROOT / "docker-compose.yml").read_text()))
    assert asked == set(known)  # what is missing is asked for by name
    # flask reads a .env by itself: none of its names may be one of the contract's.
    assert not set(known) & {name.upper() for name in Settings.model_fields}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    let_in = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert not any("env" in line for line in let_in)


def test_the_demo_takes_no_setting_from_the_shell_that_calls_it() -> None:
    ours = environment({"PATH": "/bin", "PARTNER_URL": "http://elsewhere", "LEASE": "60", "COMPOSE_PROFILES": "x"})
    assert ours == {"PATH": "/bin"}


def test_without_an_engine_the_demo_says_so_and_what_to_do(tmp_path: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    command = [sys.executable, "-m", "accepted.cli", "demo", "--stack", "compose"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "STACK=local" in done.stderr


def test_the_image_holds_all_that_the_reference_imports(tmp_path: Path) -> None:
    """Also what only one setting needs, such as AUTOSCALE=docker: nothing can be installed in it later."""
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / lock).write_text((ROOT / lock).read_text())
    run = (ROOT / "Dockerfile").read_text().partition("RUN ")[2].partition("python -m venv")[0]
    script = run.replace("/locks", str(tmp_path)).replace("\\\n", "\n")
    subprocess.run(["/bin/sh", "-c", f"S3=\n{script}"], check=True, timeout=30)
    there = re.findall(r"^([A-Za-z0-9._-]+)==", (tmp_path / "image.lock").read_text(), re.M)
    assert len(there) == len(set(there)), "a package twice"

    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else name.name or "").partition(".")[0]
        for path in (ROOT / "solutions").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for name in node.names
    }
    dists = packages_distributions()
    wanted = {canonical(dists[name][0]) for name in imported if name in dists} - {"accepted", "boto3", "botocore"}
    assert "docker" in wanted and "rq" in wanted
    assert wanted <= {canonical(name) for name in there}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
