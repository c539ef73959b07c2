"""`accepted ablation`: a defence whose absence no case notices is not tested."""

import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from accepted.demo.screen import Screen
from accepted.stack.errors import Problem
from accepted.sweep import coarse
from accepted.sweep.cases import Result
from accepted.sweep.sweep import Plan, sweep

HERE = Path(__file__).parent / "ablations"


@dataclass(frozen=True)
class Ablation:
    """A defence, what it prevents, and how it is switched off: code that is put under a module of the tree.

    `cases` must find one of the flaws in `finds`.
    """

    name: str
    defence: str
    prevents: str
    cases: Sequence[str]
    finds: Sequence[str]
    change: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Hole:
    """Whether the hole was found, and by what."""

    name: str
    defence: str
    found: bool
    case: str
    how: str
    tried: int
    seconds: float


def ablations(folder: Path = HERE) -> list[Ablation]:
    """All there are, by name."""
    return [Ablation(name=path.stem, **tomllib.loads(path.read_text())) for path in sorted(folder.glob("*.toml"))]


def overlay(tree: Path, ablation: Ablation, into: Path) -> Path:
    """A copy of the tree without that defence. Raises Problem where the tree has no such module."""
    copy = into / ablation.name.replace("-", "_")
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for change in ablation.change:
        module = copy / change["module"]
        if not module.exists():
            raise Problem(f"{tree} has no {change['module']}", f"{ablation.name} changes it", "Name another --tree.")
        with module.open("a") as file:
            file.write(f"\n\n# -- ablation: {ablation.defence}\n{change['code']}")
    return copy


def find(ablation: Ablation, tree: Path, backend: str, seed: int) -> Hole:
    """Runs the cases on the tree without the defence, up to the first that finds the hole."""
    began, results = time.monotonic(), list[Result]()
    folder = Path(tempfile.mkdtemp(prefix="accepted-ablation-"))
    try:
        without = overlay(tree, ablation, folder)
        fine = [one for one in ablation.cases if not one.startswith("coarse/")]
        rough = [one for one in ablation.cases if one.startswith("coarse/")]
        if fine:
            plan = Plan(without, backend, seed=seed, only=fine, lanes=1, first=tuple(ablation.finds))
            results += sweep(plan, lambda _: None, lambda result, done, of: None).results
        if rough and not _found(ablation, results):
            coarse.run(without, backend, seed, rough, results.append)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    took = time.monotonic() - began
    for result in results:
        for finding in result.verdict.findings:
            if finding.flaw in ablation.finds:
                return Hole(ablation.name, ablation.defence, True, result.case, str(finding), len(results), took)
    said = "; ".join(f"{one.case}: {one.outcome} {one.verdict.unknown or ''}".strip() for one in results)
    return Hole(ablation.name, ablation.defence, False, "", said or "no case ran", len(results), took)


def _found(ablation: Ablation, results: Sequence[Result]) -> bool:
    return any(one.flaw in ablation.finds for result in results for one in result.verdict.findings)


@click.command("ablation")
@click.option("--tree", default=None, help="The application (default: $TREE, else solutions).")
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True)
@click.option("--seed", envvar="SEED", default=1, show_default=True, type=int)
@click.option("--only", multiple=True, metavar="NAME", help="One defence, such as fencing. May be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
def command(tree: str | None, backend: str, seed: int, only: tuple[str, ...], as_json: bool) -> None:
    """Switch each defence off in turn: the sweep must find the hole that it left.

    Exits 0 where every hole was found, 1 where a defence could go without anybody noticing.
    """
    screen = Screen(quiet=as_json)
    where = Path(tree or os.environ.get("TREE") or "solutions")
    wanted = [one for one in ablations() if not only or one.name in only]
    if not wanted:
        known = ", ".join(one.name for one in ablations())
        raise click.BadParameter(f"there are {known}", param_hint="--only")
    screen.line(screen.style(f"Ablation of {where} on {backend}, seed {seed}", bold=True))
    holes = []
    for one in wanted:
        screen.say(f"without {one.defence}, {one.prevents}")
        hole = find(one, where, backend, seed)
        holes.append(hole)
        if hole.found:
            screen.good(f"found by {hole.case} ({hole.seconds:.0f} s): {hole.how}")
        else:
            screen.bad(f"nobody noticed ({hole.seconds:.0f} s): {hole.how}")
    screen.line()
    widths = [max(len(getattr(one, name)) for one in holes) for name in ("defence", "case")]
    for hole in holes:
        said = "found" if hole.found else "NOT FOUND"
        screen.line(f"   {hole.defence:<{widths[0]}}  {said:<9}  {hole.case:<{widths[1]}}  {hole.how[:110]}")
    if as_json:
        click.echo(json.dumps([asdict(one) for one in holes], indent=1))
    sys.exit(0 if all(one.found for one in holes) else 1)
