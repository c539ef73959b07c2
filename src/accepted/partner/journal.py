"""The ledger's file: JSON lines, only ever appended, so that a killed partner comes back knowing what it did."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """An exclusive, append-only JSONL file. Each line reaches the operating system before `append` returns.

    That survives SIGKILL of this process; it is not fsync'ed, so not a power cut: the ledger is a witness of a test
    run, and a witness that fsyncs each line would slow what it watches.
    Raises SystemExit (one line for people) if the file can't be opened or is in use, or holds a line that isn't ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as err:
            raise SystemExit(f"cannot write the ledger {path}: {err.strerror}; pass --ledger FILE elsewhere") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"the ledger {path} is in use by another partner: stop it or pass --ledger FILE") from None

    def entries(self) -> Iterator[Entry]:
        """What was written before. A last line without its end (killed while writing) is cut off."""
        whole = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._fd, whole)
                    return
                whole += len(line)
                try:
                    entry = json.loads(line)
                    entry["entry"]
                except (ValueError, TypeError, KeyError):
                    raise SystemExit(
                        f"line {number} of {self.path} is no ledger entry: pass --ledger with another file"
                    ) from None
                yield entry

    def append(self, entry: Entry) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        os.close(self._fd)
