"""Makes a run small enough to come with the repository: `python -m accepted.notebooks.shipping RUN... [--to FOLDER]`.

Every event stays. Job ids, which no figure needs, and what is finer than a tenth of a millisecond go; so do the report
and the histograms, which can be made again.
"""

import argparse
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from accepted.load.bundle import read_lines, write_lines
from accepted.notebooks.choosing import PARTS, SHIPPED

DIGITS = 4
MORE = ("replicas.json",)  # of a run with an autoscaler


def slim(row: dict[str, Any]) -> dict[str, Any]:
    """One event without its job's id, its times to 0.1 ms."""
    short = {k: round(v, DIGITS) if k.startswith("t_") and v is not None else v for k, v in row.items()}
    return {**short, "job": None}


def ship(run: Path, to: Path) -> Path:
    """Writes scenario-tree-backend under `to`, and returns it. One that is there already is replaced."""
    about = json.loads((run / "manifest.json").read_text())
    loop = "-closed" if about.get("clients") else ""
    return copy(run, to / f"{about['scenario']['name']}-{about['tree']}-{about['backend']}{loop}")


def copy(run: Path, folder: Path) -> Path:
    """Writes the run, made small, into the folder, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (*PARTS, *(each for each in MORE if (run / each).exists())):
        if part.endswith(".json"):
            (folder / part).write_text(json.dumps(json.loads((run / part).read_text()), ensure_ascii=False) + "\n")
        else:
            shutil.copyfile(run / part, folder / part)
    write_lines(folder / "events.jsonl.gz", (slim(row) for row in read_lines(run / "events.jsonl.gz")))
    return folder


def size(folders: Iterable[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    wanted = argparse.ArgumentParser(prog="python -m accepted.notebooks.shipping", description=__doc__)
    wanted.add_argument("run", nargs="+", type=Path)
    wanted.add_argument("--to", type=Path, default=SHIPPED)
    said = wanted.parse_args()
    for each in said.run:
        made = ship(each, said.to)
        print(f"{made}: {size([made]) / 1000:.0f} kB")
    print(f"in all {size([said.to]) / 1e6:.2f} MB")
