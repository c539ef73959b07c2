"""What several checks say where they fail."""

import time

from accepted.grade.evidence import Moment
from accepted.grade.stage import Answer, Stage
from accepted.grade.verdict import Broken

LOOK = "shared/routes.py; make hint-1"


def rows(stage: Stage) -> list[Moment]:
    counts = ", ".join(f"{table} {number}" for table, number in stage.counts("reports", "jobs").items())
    return [Moment(time.time(), f"rows in Postgres by now: {counts}")]


def key_broken(stimulus: str, rule: str, difference: str, seen: list[Answer], wrong: Answer) -> Broken:
    return Broken(
        stimulus=stimulus,
        rule=rule,
        difference=difference,
        evidence=[each.moment("this one" if each is wrong else "") for each in seen],
        costs="A phone in a tunnel sends its payout again because the answer was lost: the money goes twice, or the "
        "client is told of a job that is not its own.",
        look=f"{LOOK}; shared/idempotency.py is given, and does the hard part",
    )
