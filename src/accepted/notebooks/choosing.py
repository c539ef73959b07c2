"""Which runs a notebook is made from: the newest in results/load, else those that come with the repository."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accepted.load.report import Bundle
from accepted.load.verdict import INVALID
from accepted.stack.errors import Problem
from accepted.stack.state import root

SHIPPED = Path("loadtests", "bundles")
MADE = Path("results", "load")
ONLY = "ACCEPTED_BUNDLES"  # shipped: look at nothing else
PARTS = ("manifest.json", "events.jsonl.gz", "samples.jsonl.gz", "faults.json", "summary.json", "verdict.json")


class NoRun(Problem):
    """Nothing to make a notebook from, here or in the repository; it names the command that changes that."""


def run(scenario: str, tree: str = "solutions", backend: str = "rq", clients: int | None = None) -> Bundle:
    """The newest valid run of that kind, told in a line on stdout. Raises NoRun with the command that makes one.

    `clients`: one in closed loop instead, which is never valid."""
    found = first(scenario, tree, backend, clients)
    if found is None:
        closed = f" ARGS='--clients {clients}'" if clients else ""
        raise NoRun(
            f"there is no run of {scenario} on {tree} ({backend})",
            f"neither {MADE} nor {SHIPPED} holds one that serves",
            f"Make one with: make load-{scenario} BACKEND={backend} TREE={path_of(tree)}{closed}",
        )
    print(f"Made from {told(found)}")
    return found


def first(scenario: str, tree: str = "solutions", backend: str = "rq", clients: int | None = None) -> Bundle | None:
    """The same without a word; None where there is none."""
    for folder in folders(closed=bool(clients)):
        about = manifest(folder)
        kind = about["scenario"]["name"], about["tree"], about["backend"], about.get("clients")
        if kind == (scenario, tree, backend, clients):
            return Bundle(folder)
    return None


def folders(closed: bool = False) -> Iterator[Path]:
    """Of all valid runs (`closed`: of all), those in results/load first, the newest before the others."""
    places = [SHIPPED] if os.environ.get(ONLY) == "shipped" else [MADE, SHIPPED]
    for place in places:
        there = [each for each in (root() / place).glob("*/") if (whole(each) if closed else valid(each))]
        yield from sorted(there, key=lambda each: manifest(each)["zero"], reverse=True)


def group(place: str, least: int, command: str) -> list[Bundle]:
    """The valid runs of the newest folder of results/PLACE that has `least` of them, else of those that are shipped.

    Raises NoRun with the command that makes one."""
    made = [] if os.environ.get(ONLY) == "shipped" else sorted((root() / "results" / place).glob("*/"), reverse=True)
    for folder in [*(each / "runs" for each in made), root() / SHIPPED / place]:
        found = [each for each in sorted(folder.glob("*/")) if valid(each)]
        if len(found) >= least:
            shown = folder.relative_to(root())
            print(f"Made from {shown}: {len(found)} runs of {manifest(found[0])['scenario']['name']}")
            return [Bundle(each) for each in found]
    why = f"neither results/{place} nor {SHIPPED / place} holds {least} valid ones"
    raise NoRun(f"there are no runs of {command}", why, f"Make them with: make {command}")


def whole(folder: Path) -> bool:
    """Every part of a run is there."""
    return all((folder / part).exists() for part in PARTS)


def valid(folder: Path) -> bool:
    """It is whole, and worth something."""
    return whole(folder) and bool(json.loads((folder / "verdict.json").read_text())["code"] != INVALID)


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def told(of: Bundle) -> str:
    """`results/load/x: burst on solutions (rq), seed 7, commit 2f1c03d`."""
    about = of.manifest
    place = of.folder.relative_to(root()) if of.folder.is_relative_to(root()) else of.folder
    commit = (about["git"].get("commit") or "unknown")[:7]
    what = f"{about['scenario']['name']} on {about['tree']} ({about['backend']})"
    return f"{place}: {what}, seed {about['seed']}, commit {commit}"


def path_of(tree: str) -> str:
    return "exercises/start" if tree == "start" else tree
