"""Single keys, as they are pressed; where there is no terminal, whatever comes from standard input."""

import os
import select
import signal
import sys
import termios
import threading
import tty
from types import FrameType
from typing import Any, Self

END = "\x04"  # Ctrl-D
ESCAPE = "\x1b"
TOGETHER = 0.02  # s within which the rest of a key that is several bytes follows


class Keys:
    """The terminal gives keys at once while this is entered, and is as it was afterwards."""

    def __init__(self) -> None:
        self.fd = _standard_input()
        self.terminal = self.fd is not None and os.isatty(self.fd)
        self._before: list[Any] | None = None
        self._continue: Any = None

    def __enter__(self) -> Self:
        if self.terminal and self.fd is not None:
            self._before = termios.tcgetattr(self.fd)
            tty.setcbreak(self.fd)
            self._continue = signal.signal(signal.SIGCONT, self._back)  # after Ctrl-Z and `fg` a shell has reset it
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None and self.fd is not None:
            signal.signal(signal.SIGCONT, self._continue)
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self._before)

    def read(self, seconds: float) -> str:
        """The next key, or "" where none came in time. A key that is several bytes, as Home and F2 are, is none."""
        if self.fd is None:
            threading.Event().wait(seconds)
            return ""
        pressed = self._byte(seconds)
        if pressed != ESCAPE:
            return pressed
        follows = self._byte(TOGETHER)
        if follows == "O":
            self._byte(TOGETHER)
        while follows == "[" and " " <= self._byte(TOGETHER) <= "?":  # whatever else ends it
            pass
        return ""

    def _byte(self, seconds: float) -> str:
        if self.fd is None or not select.select([self.fd], [], [], seconds)[0]:
            return ""
        try:
            pressed = os.read(self.fd, 1)
        except OSError:  # the terminal is gone
            pressed = b""
        if not pressed:
            self.fd = None
        return pressed.decode("latin-1")

    def _back(self, number: int, frame: FrameType | None) -> None:
        if self.fd is not None:
            tty.setcbreak(self.fd)


def _standard_input() -> int | None:
    try:
        return sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):
        return None
