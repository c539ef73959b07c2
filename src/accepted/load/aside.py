"""A small server of ours in a process of its own, for the time that it is needed: planted faults, or the bare least."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from accepted.stack import ports, processes
from accepted.stack.errors import Problem
from accepted.stack.health import Http

START = 60.0  # s


@contextmanager
def serving(what: Literal["planted", "bare"]) -> Iterator[str]:
    """Where `accepted.load.WHAT` answers, as a URL. Raises Problem where it does not start."""
    port = ports.free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", f"accepted.load.{what}", str(port)], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        health = Http(port)
        if not processes.until(lambda: health.met(0), START):
            why = f"no answer within {START:.0f} s"
            raise Problem("a server of the harness's own did not start", why, "Let the machine rest.")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(10)
