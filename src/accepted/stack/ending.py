"""Ends processes and everything that they started: politely, then for certain."""

import signal
import threading
import time
from collections.abc import Sequence

import psutil

from accepted.stack import processes
from accepted.stack.child import Child

LOOK = 0.2  # s between looks at who there is: each reads the whole machine's processes


def end(children: Sequence[Child], grace: float, hurry: threading.Event | None = None) -> None:
    """Ends these and all that they started, for certain.

    SIGTERM to each leader; when the leaders have gone, to what they left behind; after `grace` seconds, or as soon as
    `hurry` is set, SIGKILL to all of it. Descendants are found also where they moved to another group or session,
    or lost their parent.
    """
    leaders = {process for child in children if (process := _leader(child))}
    known = processes.tree(leaders)
    for child in children:
        if child.frozen:  # a stopped process would keep SIGTERM for later
            processes.send(processes.tree({leader} if (leader := _leader(child)) else ()), signal.SIGCONT)
            child.frozen = False
    processes.send(leaders, signal.SIGTERM)
    told, looked = set(leaders), time.monotonic()
    deadline = looked + grace
    while (now := time.monotonic()) < deadline and not (hurry and hurry.is_set()):
        running = {leader for leader in leaders if not processes.gone(leader)}
        left = {process for process in known if not processes.gone(process)}
        if running and now - looked >= LOOK:
            known |= processes.tree(running)
            looked = now
        elif not running and (not left or now - looked >= LOOK):
            left |= _left_behind(children)
            known |= left
            processes.send(left - told, signal.SIGTERM)
            told |= left
            looked = now
            if not left:
                break
        time.sleep(0.03)
    processes.kill(known | _left_behind(children))
    processes.until(lambda: all(child.pid is None for child in children), 5)  # reaps the leaders


def _leader(child: Child) -> psutil.Process | None:
    return processes.found(pid, child.sessions[pid]) if (pid := child.pid) else None


def _left_behind(children: Sequence[Child]) -> set[psutil.Process]:
    sessions = {pid: started for child in children for pid, started in child.sessions.items()}
    return processes.members(sessions, {child.mark for child in children if child.mark})
