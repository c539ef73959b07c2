"""Ctrl-C, SIGTERM and SIGHUP as one exception: the first ends what runs, a later one says that it is too slow."""

import signal
import threading
from types import FrameType
from typing import Self


class Interrupted(BaseException):
    """The first Ctrl-C, SIGTERM or (unless it is ignored) SIGHUP."""


class Interrupts:
    """Turns the first signal into `Interrupted`; every later one only says: hurry."""

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        if self._before[signal.SIGHUP] is signal.SIG_IGN:  # started by `nohup`: it is to outlive its terminal
            del self._before[signal.SIGHUP]
        self._ending = False

    def __enter__(self) -> Self:
        for number in self._before:
            signal.signal(number, self._arrived)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self._ending:
            self.hurry.set()
            return
        self._ending = True
        raise Interrupted
