"""What the viewer reads: short lines, colour and a moving bar only on a terminal."""

import io
import os
import shutil
import sys
import time
from typing import TextIO

import click

WIDTH = 28


class Screen:
    """Prints the story to `out`; `quiet` prints nothing (for --json)."""

    def __init__(self, out: TextIO | None = None, quiet: bool = False) -> None:
        self.out = out or sys.stdout or io.StringIO()  # `>&-` closed it, and Python then has none
        self.quiet = quiet
        self.terminal = self.out.isatty()
        self.colour = self.terminal and "NO_COLOR" not in os.environ
        self.began = time.monotonic()
        self._open_bar = False
        self._shown = (-1, False)

    def style(self, text: str, **how: bool | str) -> str:
        return click.style(text, **how) if self.colour else text  # type: ignore[arg-type]

    def line(self, text: str = "") -> None:
        if self.quiet:
            return
        self.close_bar()
        print(text, file=self.out, flush=True)

    def act(self, number: int, title: str) -> None:
        self.line()
        self.line(self.style(f"{number}  {title}", bold=True))

    def say(self, text: str) -> None:
        self.line(f"   {self.style(f'{time.monotonic() - self.began:5.1f} s', dim=True)}  {text}")

    def good(self, text: str) -> None:
        self.say(f"{self.style('✓', fg='green')} {text}")

    def bad(self, text: str) -> None:
        self.say(f"{self.style('✗', fg='red')} {text}")

    def bar(self, percent: int, message: str) -> None:
        """A bar that moves on a terminal; elsewhere a line whenever a tenth more is done."""
        if self.quiet:
            return
        full = round(WIDTH * percent / 100)
        text = f"{'█' * full}{'░' * (WIDTH - full)} {percent:3d} %  {message}"
        if self.terminal:
            room = shutil.get_terminal_size().columns - 1
            print("\r" + f"            {text}".ljust(room)[:room], end="", file=self.out, flush=True)
            self._open_bar = True
        elif (percent // 10, percent == 100) != self._shown:
            self._shown = (percent // 10, percent == 100)
            self.say(text)

    def close_bar(self) -> None:
        """Ends the line on which a bar moved."""
        if self._open_bar:
            print(file=self.out)
            self._open_bar = False

    def new_bar(self) -> None:
        """The next bar starts from nothing."""
        self.close_bar()
        self._shown = (-1, False)
