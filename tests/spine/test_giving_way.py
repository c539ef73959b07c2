"""What was accepted can wait, a client doesn't: relay and workers come after the web, wherever they run."""

import subprocess
import sys
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
ASK = """
import os, pathlib, sys
from app.__main__ import give_way
give_way(int(sys.argv[1]))
group = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), *(group.read_text().split()[-1:] if group.exists() else []))
"""


def priorities(niceness: int, leads: bool) -> list[str]:
    """[its own, its session's] after it gave way so far; a session without a group of its own has none."""
    command = [sys.executable, "-c", ASK, str(niceness)]
    done = subprocess.run(command, start_new_session=leads, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def test_a_process_that_leads_its_session_gives_way_across_sessions_and_another_speaks_for_itself_only() -> None:
    own, *group = priorities(12, leads=True)
    assert own == "12"
    if AUTOGROUP.exists():
        assert group == ["12"]
        assert priorities(13, leads=False) == ["13", *AUTOGROUP.read_text().split()[-1:]]
    assert priorities(0, leads=True)[0] == "0"
