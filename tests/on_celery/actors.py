"""Celery's worker as `python -m app worker io` starts it, with a noop that says where it is and waits there until told.

ACT: `pause` (the first delivery waits in the middle), `die` (every one kills its process), `hang` (the first one never
ends), `quick` (says where it is, waits for nothing).
"""

import os
import runpy
import signal
import sys
import time

from app.on_celery.main import command
from app.shared import tasks
from app.shared.core import Claim

GO_ON = int(os.environ["GO_ON"])


def noop(claim: Claim) -> dict[str, object]:
    os.write(1, f"acting {os.getpid()} {claim.job.deliveries} {claim.job.id}\n".encode())
    act, first = os.environ["ACT"], claim.job.deliveries + claim.job.failures == 1
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "pause" and first:
        os.read(GO_ON, 1)
    if act == "hang" and first:
        time.sleep(60)
    if act == "quick":
        time.sleep(0.02)
    return {}


if __name__ == "__main__":
    tasks.HANDLERS["noop"] = noop
    os.environ["PROCESS"] = "worker-io"
    sys.argv = command("io")
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
