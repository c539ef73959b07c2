"""What a signal does to a long command."""

import os
import signal
import subprocess
import sys

WAITS = """
import signal, sys
from accepted.stack.interrupts import Interrupted, Interrupts
try:
    with Interrupts():
        print("waiting", flush=True)
        sys.stdin.readline()
except Interrupted:
    sys.exit(130)
"""


def started(**options: object) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    waits = subprocess.Popen([sys.executable, "-c", WAITS], **pipes, **options)  # type: ignore[call-overload]
    assert waits.stdout.readline() == "waiting\n"
    return waits  # type: ignore[no-any-return]


def test_a_terminal_that_closes_ends_what_ran_in_it() -> None:
    with started(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) as waits:  # as in a terminal
        os.kill(waits.pid, signal.SIGHUP)
        assert waits.wait(10) == 130


def test_what_nohup_started_outlives_its_terminal() -> None:
    with started(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as waits:
        os.kill(waits.pid, signal.SIGHUP)
        waits.communicate("go on\n", timeout=10)
        assert waits.returncode == 0
