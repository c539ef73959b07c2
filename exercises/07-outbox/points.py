"""Where a relay can be killed: what it says to broker and database when there is work, and not when there is none.
And how two relays are brought to the same row at one moment."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from accepted.faults.crossings import Crossing, Target
from accepted.faults.strike import Struck, kill_at, kill_now
from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage

RELAY, RELAYS = "relay", ("relay.1", "relay.2")
IDLE = 0.8  # s: longer than an idle relay pauses between two looks at anything
REACHED, LATEST = 6.0, 20.0  # s in which a killed relay is back, and comes to a crossing; on a slow machine
AT_RANDOM = 4  # kills, where a relay says nothing of its own when there is work


def let_pass(seconds: float) -> None:
    """Time itself is what is done to the tree: there is no condition that it could be waited for."""
    time.sleep(max(0.0, seconds))


def of_relay(found: Iterable[Crossing]) -> list[Crossing]:
    return [one for one in found if one.process == RELAY]


def targets(idle: Sequence[Crossing], busy: Sequence[Crossing]) -> list[Target]:
    """The message's own crossing, and what the relay tells the database around it: before each is sent, and after it
    was done with the reply withheld."""
    known = {one.kind for one in idle}
    new = list(dict.fromkeys(one.kind for one in busy if one.kind not in known))
    to_broker = [place for place, kind in enumerate(new) if kind[1] != "postgres"]
    if not to_broker:
        return []
    publish = to_broker[-1]
    around = [kind for kind in new[publish + 1 :] if kind[1] == "postgres"][:2]
    if len(around) < 2:  # it tells the database first
        around = [kind for kind in new[:publish] if kind[1] == "postgres"][-(2 - len(around)) :] + around
    chosen = [new[publish], *around]
    return [Target(*kind, 1, mode) for kind in chosen for mode in ("before", "after")]


class Killer:
    """SIGKILL to whichever relay comes to the target first. The other one, and then its successor, go on."""

    def __init__(self, stage: Stage, target: Target) -> None:
        self.stage, self.target = stage, target
        self.struck: list[Struck] = []
        self.marks: list[Moment] = []
        self.window = stage.proxies.open(target, self._strike)

    def _strike(self, crossing: Crossing, port: int) -> bool:
        done = kill_at(self.stage.stack.runner, RELAY, port, "tree", time.time())
        self.struck.append(done)
        if done.dead and done.pids:
            when = "before it was sent" if self.target.mode == "before" else "done, its reply withheld"
            told = f"{crossing.name}: {when}"
            self.marks.append(Moment(done.at, f"SIGKILL to relay {done.pids[0]} at {crossing.service}: {told}"))
        return done.owner_alive

    def wait(self, seconds: float) -> bool:
        """Whether one came to it in time."""
        self.window.fired.wait(seconds)
        self.stage.proxies.open()
        return bool(self.struck)


def kill_at_random(stage: Stage) -> Moment | None:
    """A kill within a third of a second after a request."""
    let_pass(stage.rng.uniform(0, 0.3))
    done = kill_now(stage.stack.runner, RELAY, "tree", time.time())
    return Moment(done.at, f"SIGKILL to relay {done.pids[0]}") if done.dead and done.pids else None


@contextmanager
def standing_still(stage: Stage, seconds: float) -> Iterator[None]:
    """Relays are frozen meanwhile, for `seconds` at least, and go on together: what was accepted, both find at once."""
    runner, due = stage.stack.runner, time.monotonic() + seconds
    try:
        for relay in RELAYS:
            runner.freeze(relay)
        yield
        let_pass(due - time.monotonic())
    finally:
        for relay in RELAYS:
            runner.thaw(relay)
