"""Whoever starts servers and processes may die by SIGKILL: nothing of theirs lives on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.stack import ports, processes
from accepted.stack.tether import Tether

OWNER = """
import os, sys, threading, time
from pathlib import Path
from accepted.stack.child import Spec
from accepted.stack.logs import Logs
from accepted.stack.runner import Runner
from accepted.stack.servers import choose_postgres, choose_redis
from accepted.stack.tether import Tether
import psutil

folder = Path(sys.argv[1])
tether = Tether("owner-" + os.urandom(6).hex())
servers = [choose(folder, folder, tether, "tests", print, {}) for choose in (choose_postgres, choose_redis)]
# Started by a thread that ends: what is bound to the forking thread would go with it.
for step in ("launch", "ready"):
    for server in servers:
        thread = threading.Thread(target=getattr(server, step)); thread.start(); thread.join()
runner = Runner(env=os.environ, cwd=folder, logs=Logs(folder / "logs"), tether=tether)
(folder / "family.py").write_text(
    "import subprocess, time\\n"
    "print('child', subprocess.Popen(['sleep', '60'], start_new_session=True).pid, flush=True)\\n"
    "time.sleep(60)"
)
runner.add(Spec("family", "python family.py"))
runner.start()
while not any(line.startswith("child") for line in runner.logs.tail("family")):
    time.sleep(0.02)
child = int(runner.logs.tail("family")[0].split()[1])
pids = [p.pid for p in psutil.Process().children(recursive=True)]
assert child in pids
print(servers[0].port, servers[1].port, servers[0].home, servers[1].home, *pids, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT])
def test_nothing_survives_the_death_of_its_owner(
    tmp_path: Path, how: signal.Signals, all_gone: Callable[..., bool]
) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        line = owner.stdout.readline().split()
        assert len(line) > 8, "the owner did not come up"
        postgres, redis, *folders = int(line[0]), int(line[1]), Path(line[2]), Path(line[3])
        pids = [int(pid) for pid in line[4:]]
        assert ports.answers(postgres)
        assert ports.answers(redis)
        os.kill(owner.pid, how)
        owner.wait(10)
    assert all_gone(pids, 10)
    assert not ports.answers(postgres)
    assert not ports.answers(redis)
    assert not any(folder.exists() for folder in folders)


def test_whom_ctrl_c_kept_from_being_held_ends_with_the_farewell() -> None:
    tether = Tether(f"owner-{os.urandom(6).hex()}")
    stray = subprocess.Popen(
        ["sleep", "600"], env={processes.RUN_ID: tether.run_id, "PATH": os.environ["PATH"]}, start_new_session=True
    )
    try:
        tether.release()
        assert stray.wait(30) == -signal.SIGKILL
    finally:
        stray.kill()
        stray.wait()
