"""`python -m accepted.grade.child REQUEST`: runs the checks of one exercise, and writes down what each came to.

A process of its own, so that whatever goes wrong in it has a verdict. The tree is never imported here.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import pytest

from accepted.grade import plugin as fixtures
from accepted.grade.exercise import load
from accepted.grade.leftovers import adopt_orphans, end_descendants
from accepted.grade.plugin import Plugin
from accepted.grade.request import Request


def _leave_with(parent: int) -> None:
    """Where whoever asked was killed, nobody waits for a verdict, and nobody would end what was started."""
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def main(path: str) -> int:
    request = Request.read(Path(path))
    exercise = load(Path(request.exercise))
    checks = exercise.folder / "checks.py"

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_leave_with, args=(os.getppid(),), name="leave with the parent", daemon=True).start()
    adopt_orphans()
    os.set_inheritable(request.told, False)
    plugin = Plugin(exercise, request)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(exercise.folder))  # for what checks.py has beside it
    options = ["-c", os.devnull, "--rootdir", str(exercise.folder), "--noconftest", "--import-mode=importlib"]
    names = ["-o", "python_functions=check_*", "-o", "python_files=checks.py", "-p", "no:cacheprovider"]
    try:
        return int(pytest.main([*options, *names, "-q", "--tb=short", str(checks)], plugins=[plugin, fixtures]))
    finally:
        end_descendants()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
