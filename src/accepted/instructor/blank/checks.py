"""Judged from outside: HTTP, the partner's ledger, contract tables. TODO: what this exercise looks at."""

from accepted.grade import evidence
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken

SOON = 20.0  # s in which a payout is done, on the slowest laptop


def check_boots(stage: Stage) -> str:
    return f"four processes after {stage.boot():.1f} s"


def check_works(stage: Stage) -> str:
    answer = stage.ask("POST", "/v1/payouts", stage.payout(), key=f"works-{stage.seed}", seconds=10)
    done = stage.until(lambda: stage.state(answer.job or "") == "succeeded", SOON)
    ledger = stage.ledger(kind="charge")
    if not done or len(ledger["effects"]) != 1:
        state = stage.state(answer.job or "") or str(answer)
        raise Broken(
            stimulus="a user asked for one payout, nothing going wrong",
            rule="A payout that was accepted is charged, once.",
            difference=f"expected a job that succeeds within {SOON:g} s and one charge; found {state} and "
            f"{len(ledger['effects'])} charge(s)",
            evidence=[answer.moment(), *evidence.calls(ledger)],
            costs="Somebody waits for money.",
            look=f"shared/effects.py; make hint-{stage.exercise.toml.number}",
            logs=["worker-io"],
        )
    return "one charge"
