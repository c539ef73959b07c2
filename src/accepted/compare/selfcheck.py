"""`accepted compare --self-check`: does the method tell A from A slowed by 20 %, and not A from A? On real runs.

The real system stays up: relay, scheduler, two workers, PostgreSQL and the broker. A run is a batch of no-op jobs with
every guarantee on, in jobs/s. Slowed, all these processes stand still for a sixth of the time (`slowed`), so that
everything takes 1.2 times as long. Ten comparisons, each of eight rounds; a round's three runs take turns, batch by
batch and in random order.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import click
import psycopg

from accepted.bench.beside import WORKERS
from accepted.bench.noops import SYSTEM, System, alone
from accepted.compare.plan import clock
from accepted.compare.slowed import Slowed
from accepted.compare.words import FEWEST, Comparison, Series, compare
from accepted.stack.environment import settle
from accepted.stack.run import Stack
from accepted.stack.state import root

TIMES = 10
ENOUGH = 9  # of TIMES
JOBS = 100  # of a batch
TURNS = 4  # batches of a run, one after the other in turns: what the machine does for seconds hits every arm
SLOWER = 0.2
ARMS = ("A", "A again", "A slowed")
PASSED, FAILED = 0, 1


def self_check(name: str, seed: int, as_json: bool) -> int:
    """Runs it, prints what it found, and returns the exit status: 0 where both words came in nine runs of ten."""
    backend, _ = settle(name, os.environ)
    folder = root() / "results" / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"self-check-{time.strftime('%Y%m%d-%H%M%S')}-{backend}.json"
    rates: list[dict[str, list[float]]] = []
    told: dict[str, Any] = {}
    for each in measured(backend, seed, lambda line: click.echo(line, err=True)):
        rates.append(each)
        told = as_dict(backend, seed, rates)
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")  # what a stop leaves can be looked at
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        same, slower, of = told["same"], told["worse"], told["of"]
        click.echo("\n".join(["", *lines([words(each, seed + n) for n, each in enumerate(rates)]), ""]))
        click.echo(
            f"A against A is indistinguishable in {same} of {of}, A slowed by {SLOWER:.0%} is worse in {slower}."
        )
        doubt = f"At least {ENOUGH} of each are wanted: what else runs on this machine is too much for it."
        click.echo("The method can be trusted on this machine, now." if told["passed"] else doubt)
        click.echo(f"Every rate: {path}")
    return PASSED if told["passed"] else FAILED


def as_dict(backend: str, seed: int, rates: Sequence[dict[str, list[float]]]) -> dict[str, Any]:
    """What the file holds: every rate in jobs/s, and the words that they come to."""
    found = [words(each, seed + n) for n, each in enumerate(rates)]
    same = sum(each[0].word == "indistinguishable" for each in found)
    slower = sum(each[1].word == "worse" for each in found)
    return {
        "schema": "self-check/v1", "backend": backend, "seed": seed, "jobs": TURNS * JOBS, "slower": SLOWER,
        "rates": list(rates), "words": [[one.as_dict() for one in each] for each in found], "same": same,
        "worse": slower, "of": len(rates),
        "passed": len(rates) == TIMES and min(same, slower) >= ENOUGH,
    }  # fmt: skip


def words(rates: dict[str, list[float]], seed: int) -> tuple[Comparison, Comparison]:
    """A against A, and A against A slowed."""
    base, *others = ({name: Series(rates[name])} for name in ARMS)
    first, second = (compare(base | other, "higher", seed)[0] for other in others)
    return first, second


def lines(found: Sequence[tuple[Comparison, Comparison]]) -> list[str]:
    told = [f"{'':>3}  {'A against A':<44}  A against A slowed"]
    for n, both in enumerate(found, 1):
        cells = []
        for one in both:
            assert one.numbers
            each = one.numbers
            cells.append(f"{each.ratio:.2f} × ({each.low:.2f} … {each.high:.2f})  {one.word}")
        told.append(f"{n:>3}  {cells[0]:<44}  {cells[1]}")
    return told


def measured(backend: str, seed: int, say: Callable[[str], None]) -> Iterator[dict[str, list[float]]]:
    """For each comparison the jobs/s of each arm, round by round."""
    tree = root() / "solutions"
    say(f"booting {backend} …")
    with (
        Stack(tree, backend=backend, processes=SYSTEM, seed="tiny", env={"IO_SLOTS": str(WORKERS)}) as stack,
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection,
    ):
        system = System(stack.runner, connection, JOBS)
        alone(system, [system], stack.runner)
        system.rate(JOBS)  # what is warm in the second run is warm in the first
        chance, began = Random(f"{seed} self-check"), time.monotonic()
        for n in range(1, TIMES + 1):
            rates: dict[str, list[float]] = {name: [] for name in ARMS}
            for _ in range(FEWEST):
                took = dict.fromkeys(ARMS, 0.0)
                for name in (each for _ in range(TURNS) for each in chance.sample(ARMS, len(ARMS))):
                    with Slowed(stack, SLOWER if name == "A slowed" else 0.0):
                        took[name] += JOBS / system.rate(JOBS)
                for name in ARMS:
                    rates[name].append(round(TURNS * JOBS / took[name], 2))
            left = (time.monotonic() - began) / n * (TIMES - n)
            said = " and ".join(one.word for one in words(rates, seed + n - 1))
            say(f"{n} of {TIMES}: {said}; about {clock(left)} left")
            system.clear()
            yield rates
