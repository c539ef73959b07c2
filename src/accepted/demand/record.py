"""What `accepted demand` leaves in `results/demand/<run>/`, written as it goes: a crash costs the run that it hit."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from accepted.load import journal
from accepted.load.scenario import Scenario

PLAN, RUNS, FOUND, PAGE = "plan.json", "runs.jsonl", "demand.json", "report.html"


@dataclass(frozen=True)
class Plan:
    """most: workers that are tried at most. loads: arrivals a second."""

    backend: str
    tree: str
    scenario: Scenario
    loads: tuple[float, ...]
    most: int
    seed: int

    @property
    def fingerprint(self) -> str:
        """Two plans with the same one are one search; loads may be added to it."""
        return journal.fingerprint(asdict(self), but="loads")


@dataclass(frozen=True)
class Point:
    """One run: whether so many workers held so much load. found: the worst values of its objectives, by name; None
    for what never ended. broken: the objectives that were not held. code: the load run's exit status."""

    load: float
    workers: int
    held: bool
    code: int
    broken: list[str]
    found: dict[str, float | None]
    began: float  # seconds since the epoch
    seconds: float
    machine_load: float
    bundle: str
    commit: str


class Record:
    """The folder of one search."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        folder.mkdir(parents=True, exist_ok=True)
        what = {"schema": "demand-plan/v1", "fingerprint": plan.fingerprint, **asdict(plan)}
        (folder / PLAN).write_text(json.dumps(what, indent=1, default=str) + "\n")
        self.points = read(folder)

    def get(self, load: float, workers: int) -> Point | None:
        return next((each for each in self.points if (each.load, each.workers) == (load, workers)), None)

    def add(self, point: Point) -> None:
        """On disk before the next run begins."""
        journal.add(self.folder / RUNS, {"schema": "demand-run/v1", **asdict(point)})
        self.points.append(point)


def read(folder: Path) -> list[Point]:
    """The runs that are on disk."""
    return [Point(**row) for row in journal.rows(folder / RUNS)]


def unfinished(folders: Iterable[Path], plan: Plan) -> Path | None:
    """The newest folder of this very search that has no result yet, or not for these loads."""
    for folder in journal.of_plan(folders, PLAN, plan.fingerprint):
        try:
            loads = {each["load"] for each in json.loads((folder / FOUND).read_text())["curve"]}
        except FileNotFoundError:
            return folder
        except (OSError, ValueError, KeyError):
            continue
        return None if loads >= set(plan.loads) else folder
    return None
