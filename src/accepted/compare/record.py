"""What a comparison leaves in `results/compare/<run>/`, written as it goes: a crash costs the run that it hit."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accepted.compare.plan import Plan
from accepted.load import journal

PLAN, RUNS, FOUND, PAGE = "plan.json", "runs.jsonl", "comparison.json", "report.html"


@dataclass(frozen=True)
class Result:
    """One run. values: by metric id. invalid: why it is worth nothing; empty where it is. generator, broker: whether
    either was at its end. promises: lost, duplicated and phantom jobs. load: the machine's, when it began.
    commit: of the tree, with a `+` where files differ from it."""

    round: int
    system: str
    attempt: int
    began: float  # seconds since the epoch
    seconds: float
    code: int  # the load run's exit status
    values: dict[str, float | None]
    invalid: list[str]
    generator: bool
    broker: bool
    promises: dict[str, int]
    load: float
    bundle: str
    commit: str
    raw: dict[str, Any] = field(default_factory=dict)  # the layer as it was measured

    def as_dict(self) -> dict[str, Any]:
        return {"schema": "comparison-run/v1", **asdict(self)}


class Record:
    """The folder of one comparison."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PLAN).write_text(json.dumps(plan.as_dict(), indent=1, default=str) + "\n")
        self.results = read(folder)

    def add(self, result: Result) -> None:
        """On disk before the next run begins."""
        journal.add(self.folder / RUNS, result.as_dict())
        self.results.append(result)

    def last(self) -> list[Result]:
        """Of each round and system the last attempt, within the rounds of the plan."""
        return list(
            {(each.round, each.system): each for each in self.results if each.round <= self.plan.rounds}.values()
        )


def read(folder: Path) -> list[Result]:
    """The runs that are on disk."""
    return [Result(**row) for row in journal.rows(folder / RUNS)]


def unfinished(folders: Iterable[Path], plan: Plan) -> Path | None:
    """The newest folder that holds a part of this very plan; None where there is none, or it is whole."""
    for folder in journal.of_plan(folders, PLAN, plan.fingerprint):
        return folder if plan.left({(each.round, each.system) for each in read(folder)}) else None
    return None
