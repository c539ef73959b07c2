"""docs/kill-matrix/: what each case came to when it was last run, a file for each exercise and backend, so that what is
run in pieces, by several people perhaps, meets in one page."""

import json
from collections.abc import Sequence
from pathlib import Path

from accepted import durable
from accepted.check.settled import alone
from accepted.graders.cases import Case
from accepted.graders.expected import Outcome
from accepted.ladder import ROOT

FOLDER = ROOT / "docs" / "kill-matrix"
Rows = dict[str, dict[str, object]]  # a case's name within the file → came, why, failed, judges


def read(cases: Sequence[Case], folder: Path = FOLDER) -> dict[str, Outcome]:
    """Of these cases, those that were ever run. Of the statuses it knows only which checks failed."""
    found = {}
    for case in cases:
        row = _rows(_path(case, folder)).get(_name(case))
        if row:
            failed = row["failed"] if isinstance(row["failed"], list) else []
            found[case.id] = Outcome(case.id, "", row["came"], str(row["why"]), judges=str(row["judges"]),  # type: ignore[arg-type]
                                     statuses=dict.fromkeys(failed, "fail"))  # fmt: skip
    return found


def add(case: Case, outcome: Outcome, of_these: Sequence[Case], folder: Path = FOLDER) -> None:
    """Keeps it, and nothing that is no case any more: `of_these` are all that there are. What could not be judged does
    not replace what the same code has judged before."""
    path = _path(case, folder)
    with alone(folder):
        rows = _rows(path)
        before = rows.get(_name(case))
        if before and outcome.came == "not judged" and before["judges"] == outcome.judges:
            return
        failed = sorted(name for name, status in outcome.statuses.items() if status == "fail")
        rows[_name(case)] = {"came": outcome.came, "why": outcome.why, "failed": failed, "judges": outcome.judges}
        known = {_name(one) for one in of_these if _path(one, folder) == path}
        lines = [f"{json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in sorted(rows.items())
                 if name in known]  # fmt: skip
        durable.write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _path(case: Case, folder: Path) -> Path:
    return folder / f"{case.exercise.label}-{case.backend}.json"


def _name(case: Case) -> str:
    return "/".join(filter(None, (case.kind, case.name)))


def _rows(path: Path) -> Rows:
    found: Rows = json.loads(path.read_text()) if path.exists() else {}
    return found
