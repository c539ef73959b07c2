"""The same burst on every rung, one after the other, each a run of its own whose bundle stays."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accepted.ladder import REFERENCE, START, compose, rungs
from accepted.load.verdict import BROKEN, HELD, INVALID, UNKEPT
from accepted.stack.errors import Problem

TRIES = 3
JUDGED = (HELD, UNKEPT, BROKEN)  # each is a finding
PLACE = Path("results", "before-after")


@dataclass(frozen=True)
class Rung:
    """`done`: the exercises up to this are solved. `folder`: its name in a climb's folder."""

    done: int
    label: str

    @property
    def folder(self) -> str:
        return f"{self.done:02d}-{self.label}"


def ladder() -> list[Rung]:
    """From the first app to the reference."""
    known = rungs()
    between = [Rung(each.number, each.name) for each in known[:-1]]
    return [Rung(0, "start"), *between, Rung(known[-1].number, "reference")]


def laid(rung: Rung, within: Path) -> Path:
    """The tree of that rung; one between is composed in a folder of its own."""
    if rung.label == "start":
        return START
    return REFERENCE if rung.label == "reference" else compose(within / rung.folder, rung.done)


def climb(
    folder: Path, scenario: str, backend: str, seed: int | None, say: Callable[[str], None], wanted: list[Rung]
) -> None:
    """Runs what is not there yet. Raises Problem where a run stays worth nothing."""
    for n, rung in enumerate(wanted):
        if bundle(folder / rung.folder) is not None:
            say(f"[{n + 1} of {len(wanted)}] {rung.folder}: was run already")
            continue
        for attempt in range(1, TRIES + 1):
            say(f"[{n + 1} of {len(wanted)}] {rung.folder}" + (f", again ({attempt})" if attempt > 1 else ""))
            if run(folder / rung.folder, rung, scenario, backend, seed) in JUDGED:
                break
        else:
            why = f"{TRIES} runs were worth nothing; each says why in its verdict.json, under {folder / rung.folder}"
            raise Problem(
                f"no valid run on {rung.folder}", why, "Let the machine rest, and say the same with --resume."
            )


def run(to: Path, rung: Rung, scenario: str, backend: str, seed: int | None) -> int:
    """One load run, with its progress on our stderr; its exit status."""
    with tempfile.TemporaryDirectory(prefix="accepted-rung-") as place:
        words = ["--backend", backend, "--tree", str(laid(rung, Path(place))), "--results", str(to)]
        words += [] if seed is None else ["--seed", str(seed)]
        command = [sys.executable, "-m", "accepted.cli", "load", scenario, *words]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()  # it takes its system down before it goes
            process.wait()
            raise
    if status not in (*JUDGED, INVALID):
        raise Problem(
            f"the run on {rung.folder} ended with {status}", "what it said is above", "Mend that, then --resume."
        )
    return status


def bundle(folder: Path) -> Path | None:
    """The newest valid run of a rung."""
    for verdict in sorted(folder.glob("**/verdict.json"), reverse=True):
        if json.loads(verdict.read_text())["code"] != INVALID:
            return verdict.parent
    return None


def found(folder: Path) -> Iterator[tuple[Rung, Path]]:
    """Every rung of a climb that has a valid run, from below."""
    for rung in ladder():
        if (made := bundle(folder / rung.folder)) is not None:
            yield rung, made


def whole(folder: Path) -> bool:
    """It has the first app and the reference, at least."""
    return {0, ladder()[-1].done} <= {rung.done for rung, _ in found(folder)}


def newest(root: Path) -> Path | None:
    there = sorted((root / PLACE).glob("*/"))
    return there[-1] if there else None


def begin(root: Path, backend: str) -> Path:
    folder = root / PLACE / f"{time.strftime('%Y%m%d-%H%M%S')}-{backend}"
    folder.mkdir(parents=True)
    return folder


def ship(folder: Path, to: Path, slim: Callable[[Path, Path], Any]) -> None:
    """Puts every rung's run under `to`, made small, in place of what is there."""
    shutil.rmtree(to, ignore_errors=True)
    for rung, made in found(folder):
        slim(made, to / rung.folder)
