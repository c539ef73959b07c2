"""A RabbitMQ of our own: on loopback alone, and gone without a trace, its port mapper too."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from accepted.stack import environment, processes
from accepted.stack.errors import Problem
from accepted.stack.rabbitmq import RabbitMQ, find_rabbitmq, why_not
from accepted.stack.tether import Tether

pytestmark = pytest.mark.skipif(find_rabbitmq() is None, reason="RabbitMQ is not installed (make rabbitmq)")

OWNER = """
import sys, time
from pathlib import Path
from accepted.stack.rabbitmq import RabbitMQ, find_rabbitmq
from accepted.stack.tether import Tether
tether, here = Tether(sys.argv[2]), Path(sys.argv[1])
server = RabbitMQ(find_rabbitmq(), here / "data", here / "log", tether, "t")
server.launch()
server.ready(90)
print("up", flush=True)
time.sleep(300)
"""


def of_run(run_id: str) -> set[psutil.Process]:
    return processes.members({}, {run_id})


def test_it_listens_on_loopback_alone_and_leaves_nothing_running(tmp_path: Path, tether: Tether) -> None:
    scripts = find_rabbitmq()
    assert scripts is not None
    before = of_run(tether.run_id)
    server = RabbitMQ(scripts, tmp_path / "data", tmp_path / "log", tether, "t")
    try:
        server.launch()
        server.ready(90)
        ours = of_run(tether.run_id) - before
        assert {"beam.smp", "epmd"} <= {process.name() for process in ours}
        listening = [
            c.laddr.ip for process in ours for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 3
        assert set(listening) <= {"127.0.0.1", "::1"}
        assert why_not(server.url) is None
        assert "ACCESS_REFUSED" in str(why_not(server.url.replace(":", ":x", 2).replace("x//", "//", 1)))
        server.restart()
        assert why_not(server.url) is None, "the same address, the same vhost"
    finally:
        server.stop()
    assert processes.until(lambda: of_run(tether.run_id) <= before, 5)
    server.discard()
    assert not (tmp_path / "data").exists()


def test_its_node_looks_for_code_in_no_plugin_that_nobody_enabled(tmp_path: Path, tether: Tether) -> None:
    """Each folder on Erlang's path costs every module of the boot a failed lookup."""
    scripts = find_rabbitmq()
    assert scripts is not None
    before = of_run(tether.run_id)  # the node of other tests is of this run as well
    server = RabbitMQ(scripts, tmp_path / "data", tmp_path / "log", tether, "t")
    try:
        server.launch()
        server.ready(90)
        [node] = [process for process in of_run(tether.run_id) - before if process.name() == "beam.smp"]
        libraries = {path.name.rpartition("-")[0] for path in Path(node.environ()["ERL_LIBS"]).iterdir()}
    finally:
        server.stop()
    assert {"rabbit", "rabbit_common", "rabbitmq_prelaunch"} <= libraries
    assert "rabbitmq_management" not in libraries


def test_it_goes_with_an_owner_that_was_killed(tmp_path: Path) -> None:
    run_id = f"killed-{os.getpid()}"
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), run_id], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == "up\n"
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
    assert processes.until(lambda: not of_run(run_id) and not (tmp_path / "data").exists(), 20)


def test_celery_alone_means_rabbitmq_where_there_is_one_and_says_so_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert environment.settle("celery", {}) == ("celery-rabbitmq", None)
    monkeypatch.setattr(environment, "find_rabbitmq", lambda: None)
    backend, said = environment.settle("celery", {})
    assert backend == "celery-redis"
    assert "make rabbitmq" in str(said)
    assert environment.settle("celery", {"BROKER_URL": "amqp://somewhere"}) == ("celery-rabbitmq", None)
    with pytest.raises(Problem, match=r"RabbitMQ is not there: .* Install it with `make rabbitmq`"):
        environment.settle("celery-rabbitmq", {})
