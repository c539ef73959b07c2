"""Many processes' output as one stream for the eye, and one file a process for the search."""

import contextlib
import os
import threading
from collections import defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import IO, TextIO

from accepted.stack.errors import cannot_write

MERGED = "all.log"  # time, name and line of everything, in order of arrival
LONGEST_LINE = 64 * 1024  # bytes; a longer one is cut into several
_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94)


def wants_colour(out: TextIO | None) -> bool:
    """Colour only on a terminal, and not where NO_COLOR is set (https://no-color.org)."""
    return out is not None and out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(name: str, text: str) -> str:
    """`text` in the colour that belongs to `name`; the instances of a scaled process share theirs."""
    colour = _COLOURS[sum(name.partition(".")[0].encode()) % len(_COLOURS)]
    return f"\x1b[{colour}m{text}\x1b[0m"


def merged_line(moment: str, name: str, line: str, width: int, colour: bool) -> str:
    """One line of the stream."""
    head = f"{moment} {name:<{width}} |"
    return f"{coloured(name, head) if colour else head} {line}"


class Logs:
    """Writes lines of named sources to `directory`/<name>.log, to all.log and to `out` (None: nowhere).

    Thread-safe.
    """

    def __init__(self, directory: Path, out: TextIO | None = None, width: int = 12) -> None:
        self.directory = directory
        self.width = width
        self._out = out
        self._colour = wants_colour(out)
        self._lock = threading.Lock()
        self._files: dict[str, IO[str]] = {}
        self._tails: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=20))
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._merged = (directory / MERGED).open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise cannot_write(error.filename or directory, error) from error

    def write(self, name: str, line: str) -> None:
        """Adds one line of `name`."""
        moment = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        with self._lock:
            self.width = max(self.width, len(name))
            self._tails[name].append(line)
            if self._merged.closed:
                return
            with contextlib.suppress(OSError):  # a full disk must not stop the processes
                self._file(name).write(f"{line}\n")
                self._merged.write(f"{moment} {name} | {line}\n")
            if self._out is not None:
                try:
                    print(merged_line(moment, name, line, self.width, self._colour), file=self._out, flush=True)
                except (OSError, ValueError):  # the reader of our pipe has gone; the files go on
                    self._out = None

    def tail(self, name: str) -> list[str]:
        """The last lines of `name`, at most 20."""
        with self._lock:
            return list(self._tails[name])

    def pump(self, name: str, pipe: IO[bytes]) -> threading.Thread:
        """Starts a thread that copies `pipe` line by line until its end, and closes it."""
        thread = threading.Thread(target=self._pump, args=(name, pipe), name=f"log of {name}", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Closes the files; later lines only reach `tail`."""
        with self._lock:
            for file in (self._merged, *self._files.values()):
                with contextlib.suppress(OSError):
                    file.close()

    def _pump(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(LONGEST_LINE):
                self.write(name, line.decode(errors="replace").rstrip("\r\n"))

    def _file(self, name: str) -> IO[str]:
        if name not in self._files:
            self._files[name] = (self.directory / f"{name}.log").open("a", encoding="utf-8", buffering=1)
        return self._files[name]
