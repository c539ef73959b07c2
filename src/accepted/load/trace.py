"""Recorded arrivals: a file with a moment on each line, in seconds from any beginning; `#` begins a remark."""

import math
from itertools import pairwise
from pathlib import Path


class BadTrace(Exception):
    """The file can't be replayed; the message says why."""


def read(path: Path, seconds: float, speed: float = 1.0) -> tuple[float, ...]:
    """The first `seconds` of it, counted from the first arrival and replayed `speed` times as fast. Raises BadTrace."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BadTrace(f"cannot read {path}: {error.strerror}") from error
    found: list[float] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.append(float(text))
        except ValueError:
            raise BadTrace(f"{path}, line {number}: {text!r} is no number of seconds") from None
        if not math.isfinite(found[-1]):
            raise BadTrace(f"{path}, line {number}: {text!r} is no moment")
    if not found:
        raise BadTrace(f"{path} has no arrival")
    if any(after < before for before, after in pairwise(found)):
        raise BadTrace(f"{path} goes back in time; sort it")
    moments = [(at - found[0]) / speed for at in found]
    return tuple(at for at in moments if at < seconds)
