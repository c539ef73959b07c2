"""Crossings by name, counted within a window, and the one at which something shall happen. No input, no output."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["before", "after", "reply"]
MODES: tuple[Mode, ...] = ("before", "after", "reply")
Class = tuple[str, str, str]  # process, service, name


@dataclass(slots=True)
class Crossing:
    """One exchange of a process with a service. `ordinal` counts those of its class since the window began.

    `waiting`: it was under way when the window began (a worker that waits for a message).
    """

    process: str
    service: str
    name: str
    ordinal: int
    at: float
    waiting: bool = False
    answered_at: float | None = None
    chosen: bool = False

    @property
    def kind(self) -> Class:
        return self.process, self.service, self.name

    def __str__(self) -> str:
        return f"{self.process} → {self.service}: {self.name} #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Target:
    """At this crossing, in this mode: before it is sent; after it was processed with the reply withheld; after the
    reply was delivered. `ordinal` 0: at every one of its class."""

    process: str
    service: str
    name: str
    ordinal: int
    mode: Mode
    waiting: bool = False

    def __str__(self) -> str:
        return f"{self.process} → {self.service}: {self.name} #{self.ordinal or '*'}/{self.mode}"


@dataclass(slots=True)
class Window:
    """What crossed since it was opened. Thread-safe."""

    target: Target | None = None
    seen: list[Crossing] = field(default_factory=list)
    fired: threading.Event = field(default_factory=threading.Event)
    opened: float = field(default_factory=time.time)
    trouble: Exception | None = None  # what went wrong when it was to happen
    _counts: Counter[Class] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, process: str, service: str, name: str, *, waiting: bool = False) -> Crossing:
        """Notes a crossing; it is `chosen` where it is the one that the target means."""
        with self._lock:
            self._counts[process, service, name] += 1
            one = Crossing(process, service, name, self._counts[process, service, name], time.time(), waiting)
            one.chosen = self._means(one)
            self.seen.append(one)
            return one

    def _means(self, one: Crossing) -> bool:
        target = self.target
        if target is None or one.kind != (target.process, target.service, target.name):
            return False
        if target.ordinal == 0:
            return True
        if self.fired.is_set():
            return False
        if one.waiting and target.mode == "before":
            return False  # it was sent long ago: what is meant is the next time that the process asks
        if target.waiting:
            # Who waits for a message is one of several. Where just then nobody does, it is the next that asks.
            asked_again = any(other.waiting and other.kind == one.kind for other in self.seen)
            return target.mode == "before" or one.waiting or not asked_again
        # The first that is not left out above.
        return one.ordinal >= target.ordinal and not any(other.chosen for other in self.seen)

    def shown(self) -> list[Crossing]:
        """All so far, in order."""
        with self._lock:
            return list(self.seen)
