"""The runs of a series, a JSON line each, on disk before the next one begins: a crash costs the run that it hit."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def fingerprint(plan: Mapping[str, Any], but: str) -> str:
    """Of everything but the field that may grow later: two plans with the same one are one series."""
    return hashlib.sha256(json.dumps({**plan, but: None}, sort_keys=True, default=str).encode()).hexdigest()[:16]


def add(path: Path, row: Mapping[str, Any]) -> None:
    """Behind all others. What a crash cut off spoils no later line."""
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as lines:
        lines.write("\n" * torn + json.dumps(row, allow_nan=False) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def rows(path: Path) -> list[dict[str, Any]]:
    """Without their schemas; a line that a crash cut off is none."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            each = json.loads(line)
        except ValueError:
            continue
        each.pop("schema")
        found.append(each)
    return found


def of_plan(folders: Iterable[Path], plan: str, fingerprint: str) -> list[Path]:
    """Those whose file `plan` has this fingerprint, the newest first."""
    found = []
    for folder in sorted(folders, reverse=True):
        try:
            if json.loads((folder / plan).read_text())["fingerprint"] == fingerprint:
                found.append(folder)
        except (OSError, ValueError, KeyError):
            continue
    return found
