"""The other half of `accepted up --detach`: a supervisor of its own, which outlives the terminal."""

import signal
import subprocess
import sys
from collections.abc import Sequence

from accepted.stack import processes
from accepted.stack.errors import Problem, cannot_write
from accepted.stack.state import RunFolder, State

BOOT = 180.0  # seconds


def start_in_background(folder: RunFolder, arguments: Sequence[str]) -> State:
    """Runs `accepted ARGUMENTS` in a session of its own.

    Returns the state once it is up. Raises the Problem that it reports.
    """
    log = folder.path.with_name(f"{folder.path.name}.supervisor.log")  # beside, because a boot empties the folder
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "accepted.cli", *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise cannot_write(error.filename or log, error) from error

    def up() -> bool:
        state = folder.load()
        return state is not None and state.supervisor == supervisor.pid and state.phase == "up"

    try:
        processes.until(lambda: supervisor.poll() is not None or up(), BOOT, pause=0.05)
    except BaseException:  # Ctrl-C while it boots: it stops what it started
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(30)
        raise
    state = folder.load()
    if supervisor.poll() is None and up() and state is not None:
        supervisor.returncode = 0  # it goes on without us
        return state
    if supervisor.poll() is None:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(30)
        raise Problem("the run did not come up", f"it took longer than {BOOT:g} s", f"Its logs are in {folder.logs}.")
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    raise ReportedProblem(said or [f"the supervisor ended with status {supervisor.returncode}"])


class ReportedProblem(Problem):
    """What the supervisor has already put into words."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("the run did not come up", "see below", "")
        self._lines = lines

    def report(self) -> str:
        return "\n".join(self._lines).removeprefix("Error: ")
