"""Runs the processes of a Procfile: start, health, restart, and an end that leaves nothing."""

import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from accepted.stack import processes
from accepted.stack.child import Child, Spec, ending, own_programs_first
from accepted.stack.ending import end
from accepted.stack.errors import Problem
from accepted.stack.health import Http
from accepted.stack.logs import Logs
from accepted.stack.tether import Tether

CRASHES, WINDOW = 5, 10.0  # so many crashes in so many seconds: the command is broken, not unlucky
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def pause_before_restart(crashes: Sequence[float], now: float) -> float | None:
    """Seconds until the next start, doubled with each crash of the last WINDOW.

    None: enough, give up. `crashes`: monotonic times.
    """
    recent = sum(1 for moment in crashes if now - moment < WINDOW)
    return None if recent >= CRASHES else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, recent - 1))


class Runner:
    """Supervises named processes. Every public method may be called from any thread.

    A name stands for all its instances: `relay` for relay.1 and relay.2, `relay.2` for that one.
    """

    def __init__(
        self, *, env: Mapping[str, str], cwd: Path, logs: Logs, tether: Tether, grace: float = 10.0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        mark = f"{tether.run_id}/{secrets.token_hex(4)}"  # several runners may share a tether
        self.env = {**env, "PATH": own_programs_first(env), "PYTHONUNBUFFERED": "1", processes.RUN_ID: mark}
        self.cwd, self.logs, self.tether, self.grace = cwd, logs, tether, grace
        self.failure: Problem | None = None
        self.hurry = threading.Event()
        self._on_change = on_change
        self._children: list[Child] = []
        self._lock = threading.RLock()
        self._closing, self._over = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None

    def add(self, spec: Spec, count: int = 1) -> None:
        """Makes `count` instances known.

        `start` starts them. With several they are called name.1, name.2, …
        """
        names = [spec.name] if count == 1 else [f"{spec.name}.{number}" for number in range(1, count + 1)]
        with self._lock:
            self._children += [Child(name, spec) for name in names]
            self.logs.width = max([self.logs.width, *map(len, names)])

    def run_once(self, spec: Spec, seconds: float) -> None:
        """Runs one to its end.

        A Problem with its last lines where it fails or takes longer than `seconds`.
        """
        child = Child(spec.name, replace(spec, restart="never"))
        with self._lock:
            self._children.append(child)
            child.spawn(self.env, self.cwd, self.logs, self.tether)
        done = processes.until(lambda: child.returncode is not None, seconds)
        end([child], self.grace if not done else 0)
        with self._lock:
            self._children.remove(child)
        if child.returncode != 0 or not done:
            why = ending(child.returncode or 0) if done else f"it took longer than {seconds:g} s"
            raise self._problem(child, f"{spec.name} failed", why)

    def start(self, name: str | None = None) -> None:
        """Starts it where it does not run (None: all), and keeps it running as its Spec says."""
        with self._lock:
            for child in self._named(name):
                child.wanted = True
                child.crashes.clear()
                if child.pid is None:
                    child.spawn(self.env, self.cwd, self.logs, self.tether)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="runner", daemon=True)
                self._watcher.start()
        self._on_change()

    def wait_healthy(self, seconds: float = 30.0, name: str | None = None) -> None:
        """Waits until all (or those called `name`) count as up.

        A Problem with the last lines of one that does not.
        """
        deadline = time.monotonic() + seconds
        with self._lock:
            pending = [child for child in self._named(name) if child.wanted]
        while True:
            if self.failure:
                raise self.failure
            for child in list(pending):
                if child.pid and child.spec.health.met(time.monotonic() - child.born):
                    pending.remove(child)
                elif child.returncode is not None and child.spec.restart == "never":
                    raise self._problem(child, f"{child.name} is not up", ending(child.returncode))
            if not pending:
                return
            if time.monotonic() > deadline:
                waited = f"{pending[0].spec.health} was waited for, {seconds:g} s"
                if isinstance(health := pending[0].spec.health, Http):
                    waited += f"; {health.instead(processes.tree(self._leaders(pending[0].name)))}"
                raise self._problem(pending[0], f"{pending[0].name} is not up", waited)
            time.sleep(0.03)

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until the runner gave up or was closed; `failure` says why. False: the time is over first."""
        return self._over.wait(seconds)

    def children(self, name: str | None = None) -> list[Child]:
        """The instances of that name (None: all), to look at. Raises KeyError where nothing is called so."""
        return self._named(name)

    def pids(self, name: str) -> list[int]:
        """Pids of the running leaders of that name."""
        return [pid for child in self._named(name) if (pid := child.pid)]

    def kill(self, name: str, sig: int = signal.SIGKILL, tree: bool = True) -> list[int]:
        """Signals the leaders, with `tree` all their descendants too.

        Returns the pids signalled. The Spec decides whether they come back.
        """
        with self._lock:
            leaders = self._leaders(name, deliberate=True)
            targets = processes.tree(leaders) if tree else leaders
            processes.send(leaders, sig)  # first, so that it replaces no child
            processes.send(targets - leaders, sig)
        return [process.pid for process in targets]

    def stop(self, name: str, grace: float | None = None) -> None:
        """Ends it with all that it started, and leaves it ended until `start`."""
        with self._lock:
            ended = self._named(name)
            for child in ended:
                child.wanted, child.due = False, None
        end(ended, self.grace if grace is None else grace, hurry=self.hurry)
        self._on_change()

    def freeze(self, name: str) -> None:
        """SIGSTOP to the whole tree: connections stay open and nothing answers once this returns."""
        with self._lock:
            for child in self._named(name):
                child.frozen = True
            processes.freeze_trees(self._leaders(name))

    def thaw(self, name: str) -> None:
        """Lets a frozen tree go on."""
        with self._lock:
            for child in self._named(name):
                child.frozen = False
            processes.send(processes.tree(self._leaders(name)), signal.SIGCONT)

    def close(self) -> None:
        """Ends everything: after this no process that it started, nor any of their descendants, is left."""
        self._closing.set()
        if self._watcher and self._watcher is not threading.current_thread():
            self._watcher.join(30)
        self._halt()

    def _halt(self) -> None:
        with self._lock:
            for child in self._children:
                child.wanted, child.due = False, None
        end(self.children(), self.grace, hurry=self.hurry)
        self._over.set()

    def _watch(self) -> None:
        while not self._closing.wait(0.05):
            changed = False
            for child in self.children():
                with self._lock:
                    changed |= self._tend(child, time.monotonic())
            if self.failure:
                self._halt()
                return
            if changed:
                self._on_change()

    def _tend(self, child: Child, now: float) -> bool:
        if not child.wanted or child.pid is not None or self._closing.is_set():
            return False
        if child.due is None:
            self._ended(child, now)
        if child.due is not None and now >= child.due:
            child.spawn(self.env, self.cwd, self.logs, self.tether)
        return True

    def _ended(self, child: Child, now: float) -> None:
        child.last_ending = ending(child.returncode or 0)
        if child.spec.restart == "never":
            child.wanted = False
            self.logs.write(child.name, f"-- {child.last_ending}")
            return
        if not child.deliberate:
            child.crashes.append(now)
        pause = 0.0 if child.deliberate else pause_before_restart(child.crashes, now)
        if pause is None:
            self.failure = self._problem(
                child,
                f"{child.name} ended {CRASHES} times in {WINDOW:g} s",
                f"the last one {child.last_ending}",
            )
            return
        child.due = now + pause
        self.logs.write(child.name, f"-- {child.last_ending}; starts again" + (f" in {pause:g} s" if pause else ""))

    def _named(self, name: str | None) -> list[Child]:
        with self._lock:
            if name is None:
                return list(self._children)
            found = [child for child in self._children if name in (child.name, child.spec.name)]
        if not found:
            raise KeyError(f"no process {name}; there are {', '.join(child.name for child in self._children)}")
        return found

    def _leaders(self, name: str, deliberate: bool = False) -> set[psutil.Process]:
        leaders = set()
        for child in self._named(name):
            if (pid := child.pid) and (leader := processes.found(pid, child.sessions[pid])):
                child.deliberate |= deliberate
                leaders.add(leader)
        return leaders

    def _problem(self, child: Child, what: str, why: str) -> Problem:
        cure = f"Its output is in {self.logs.directory / f'{child.name}.log'}."
        child.hear_out(0.2)  # the last lines may still be on their way
        return Problem(what, why, cure, self.logs.tail(child.name))
