"""Whether it is the tree that does not come up, or does not stay up, and how it is told so."""

import os
import time
from collections.abc import Collection, Sequence

from accepted.grade.evidence import Moment
from accepted.grade.verdict import Broken
from accepted.stack.errors import Problem

BOOT = float(os.environ.get("ACCEPTED_BOOT_SECONDS", "60"))  # s
LOOK_AT_LINES = "the lines above, which are the app's own; usually an import that fails"
LOOK_AT_NOTHING = (
    "what it waits for before it starts: it has said nothing. If only this machine is busy, "
    f"ACCEPTED_BOOT_SECONDS={3 * BOOT:g} before the command waits longer"
)


def is_the_trees(problem: Problem, procfile: Collection[str]) -> bool:
    """Whether it tells of a line of the Procfile, or of one that is missing there. `relay.2` is one of `relay`'s."""
    name = problem.what.split()[0].partition(".")[0]
    return name in {*procfile, "release"} or problem.what.startswith("no process ")


def does_not_run(problem: Problem, names: Sequence[str], up: bool) -> Broken:
    """`names`: the lines that were started. `up`: all of them were, once, and one has ended again and again since."""
    now = time.time()
    rule = "Every process of the Procfile starts, and web answers GET /healthz on the PORT it is given."
    return Broken(
        stimulus=f"the tree's processes were started: release, {', '.join(names)}",
        rule="Every process of the Procfile starts, and goes on running." if up else rule,
        difference=f"{problem.what}: {problem.why}",
        evidence=[Moment(now + n / 1e6, f"app| {line}") for n, line in enumerate(problem.details)],
        costs="What this process is there for is done for nobody." if up else "Nothing works for anybody.",
        look=LOOK_AT_LINES if problem.details else LOOK_AT_NOTHING,
        logs=("release", *names),
    )
