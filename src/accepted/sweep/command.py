"""`accepted sweep`."""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Self

import click

from accepted.demo.screen import Screen
from accepted.stack.state import root
from accepted.sweep import coarse, page, table
from accepted.sweep.cases import Result
from accepted.sweep.stage import SIZES, TIMINGS, TRIES
from accepted.sweep.sweep import Found, Plan, sweep

FOLDER = "results/sweep"


@click.command("sweep")
@click.option("--tree", default=None, help="The application (default: $TREE, else solutions).")
@click.option("--backend", envvar="BACKEND", default="rq", show_default=True, help="rq, celery-redis, celery-rabbitmq.")
@click.option("--quick", is_flag=True, help="One kill for each class of crossing, nothing else.")
@click.option("--seed", envvar="SEED", default=1, show_default=True, type=int, help="Of everything that is random.")
@click.option("--only", multiple=True, metavar="NAME", help="A case, or the beginning of its name. May be repeated.")
@click.option("--lanes", default=4, show_default=True, type=click.IntRange(1, 8), help="Stages side by side.")
@click.option(
    "--lease",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.5),
    help="Seconds. On a busy machine workers lose a short one with nobody dead: take more.",
)
@click.option("--crossings/--no-crossings", default=True, help="The kills at crossings and at random times.")
@click.option("--coarse/--no-coarse", "rough", default=None, help="Servers and lines that fail under load.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
@click.option("--pages", type=click.Path(path_type=Path), help=f"Where failures' timelines go.  [default: {FOLDER}]")
@click.option("--quiet", is_flag=True, help="Leave the list of crossings out.")
def command(
    tree: str | None, backend: str, quick: bool, seed: int, only: tuple[str, ...], lanes: int, lease: float,
    crossings: bool, rough: bool | None, as_json: bool, pages: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Kill every process at every crossing of a job's life, restart, drain, and judge what became of each key.

    Exits 0 where all held, 1 where something was lost, doubled or stuck, 3 where a case could not be judged.
    """
    screen = Screen(quiet=as_json)
    quick = quick or os.environ.get("QUICK", "") not in ("", "0")
    tree = tree or os.environ.get("TREE") or "solutions"
    plan = Plan(Path(tree), backend, quick, seed, only, lanes=lanes, lease=lease)
    screen.line(screen.style(f"Crash sweep of {tree} on {backend}, seed {seed}", bold=True))
    shown = ", ".join(f"{name}={value}" for name, value in {**TIMINGS, **TRIES, **SIZES, **plan.env}.items())
    screen.line(screen.style(f"   set for the sweep: {shown}", dim=True))
    found = Found()
    named = [one for one in only if one.startswith("coarse")]
    with _Aside(screen, plan, named) as aside:
        if rough or (rough is None and not quick and not only) or named:
            aside.begin()
        if crossings and (not only or len(named) < len(only)):
            found = _crossings(screen, plan, quiet)
        found.results += aside.results()
    _close(screen, plan, found, pages or root() / FOLDER / backend)
    if as_json:
        click.echo(json.dumps(table.as_json(found.results, found.crossings(), found.by_chance), indent=1))
    sys.exit(table.EXIT[table.outcome(found.results)])


def _crossings(screen: Screen, plan: Plan, quiet: bool) -> Found:
    began: float | None = None
    failed = 0

    def progress(result: Result, done: int, of: int) -> None:
        nonlocal failed, began
        began = began or time.monotonic() - result.seconds  # the lanes have booted by now
        if result.by_chance:
            screen.line(screen.style(f"   left out: {result.case}: no clean run comes here any more", dim=True))
        elif result.outcome != "pass":
            failed += 1
            screen.bad(f"{result.case}: {_why(result)}")
        left = (time.monotonic() - began) / done * (of - done)
        screen.bar(100 * done // of, f"{done} of {of}, {failed} not passed, {left / 60:.1f} min left: {result.case}")

    def tell(line: str) -> None:
        if not (quiet and line.startswith(" ")):
            screen.line("   " + line)

    found = sweep(plan, tell, progress)
    screen.close_bar()
    return found


class _Aside:
    """The coarse faults, on a stage of their own beside the lanes: they wait more than they work."""

    def __init__(self, screen: Screen, plan: Plan, named: list[str]) -> None:
        self.screen, self.plan, self.named = screen, plan, named
        self._found: list[Result] = []
        self._over = threading.Event()
        self._trouble: BaseException | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="coarse faults")
        self._thread.start()

    def results(self) -> list[Result]:
        """Waits for all of them. Raises what a stage's boot raised."""
        if self._thread:
            self._thread.join()
        if self._trouble:
            raise self._trouble
        return self._found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        plan = self.plan
        try:
            coarse.run(
                plan.tree, plan.backend, plan.seed, self.named, self._tell, env=plan.env, enough=self._over.is_set
            )
        except BaseException as error:  # told by the one who waits for us
            self._trouble = error

    def _tell(self, result: Result) -> None:
        self._found.append(result)
        said = f"{result.case} ({result.seconds:.0f} s)"
        if result.outcome == "pass":
            self.screen.good(said)
        else:
            self.screen.bad(f"{said}: {_why(result)}")


def _why(result: Result) -> str:
    said = [str(one) for one in result.verdict.findings[:3]]
    return "; ".join(said) or f"unknown: {result.verdict.unknown}"


def _close(screen: Screen, plan: Plan, found: Found, pages: Path) -> None:
    screen.line()
    for line in table.lines(found.results, found.crossings()):
        screen.line("   " + line)
    screen.line()
    for result in found.results:
        if result.outcome == "pass":
            continue
        same = f"--backend {plan.backend} --seed {plan.seed} --tree {plan.tree} --lease {plan.lease:g}"
        replay = f"accepted sweep {same} --only '{result.case}'"
        where = page.write(result, pages, replay, [f"victim: {result.victim or '-'}"])
        screen.bad(f"{result.case}: {_why(result)}")
        screen.line(f"      timeline  {where}")
        screen.line(f"      replay    {replay}")
    took = time.monotonic() - screen.began
    held = sum(one.outcome == "pass" for one in found.results)
    screen.line(f"   {held} of {len(found.results)} held, in {took / 60:.1f} min")
    if found.by_chance:
        screen.line(f"   {len(found.by_chance)} left out, of crossings that only some clean runs come to")
