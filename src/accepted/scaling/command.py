"""`accepted simulate BUNDLE`: a recorded run's work again, by a tree's own law, on a queue that is only reckoned."""

import json
import os
import sys
import time
from pathlib import Path

import click

from accepted.load.command import require_extra
from accepted.stack.state import root


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--tree", type=click.Path(path_type=Path), help="Whose law.  [default: TREE, else solutions]")
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="So many times the load, on "
              "workers so many times the size.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print both curves and how far they are apart as JSON.")
def simulate(bundle: Path, tree: Path | None, times: int, as_json: bool) -> None:
    """Ask a tree's autoscaler what it would have done, and set it beside what was measured.

    BUNDLE is a folder that a load scenario with `scaler:` left, such as results/load/…-burst-scaled-rq. Arrivals and
    times of service are those of the run; replicas and waiting come from the law.

    Exit status 0: the two agree within 20 %, both in the curve of replicas and in the time until the lag is inside
    again. 1: they don't. With --times nothing was measured beside it, and nothing is compared.
    """
    require_extra()
    from accepted.scaling import recorded, telling
    from accepted.scaling.asking import Law

    found = recorded.read(bundle)
    here = (tree or root() / os.environ.get("TREE", "solutions")).resolve()
    began = time.monotonic()
    env = {**os.environ, "TREE": str(here), "IO_SLOTS": str(found.house.slots)}
    with Law(here, env, root()) as law:
        law.limits(found.limits | {"slots": found.house.slots * times})
        points = recorded.again(found, law, times)
    took = time.monotonic() - began
    agreed = recorded.agreement(found, points) if times == 1 else None
    if as_json:
        click.echo(json.dumps({
            "run": found.name, "times": times, "jobs": len(found.jobs) * times, "seconds": round(took, 2),
            "apart": agreed and {"curve": agreed.curve, "recovery": agreed.recovery, "measured": agreed.measured,
                                 "simulated": agreed.simulated, "within": recorded.WITHIN, "holds": agreed.holds},
            "rows": recorded.table(found, points, 0.5),
        }, indent=1))  # fmt: skip
    else:
        telling.tell(found, points, times, took, agreed)
    sys.exit(0 if agreed is None or agreed.holds else 1)
