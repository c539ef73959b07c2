"""The oracle on histories written by hand: the good ones pass, each bad one is convicted of its own flaw only."""

from dataclasses import replace
from pathlib import Path

import pytest

from accepted.oracle.history import Asked, Effect, Event, History, Job, load, save
from accepted.oracle.judge import judge
from accepted.oracle.verdict import FLAWS

HISTORIES = Path(__file__).parent / "histories"
GOOD = sorted((HISTORIES / "good").glob("*.json"))
BAD = sorted((HISTORIES / "bad").glob("*.json"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_history_passes(path: Path) -> None:
    verdict = judge(load(path))
    assert (verdict.outcome, verdict.findings) == ("pass", ())


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_history_is_convicted_of_its_flaw_and_of_nothing_else(path: Path) -> None:
    history = load(path)
    verdict = judge(history)
    assert verdict.outcome == "fail"
    assert {one.flaw for one in verdict.findings} == {history.note}


def test_every_flaw_has_a_history_that_shows_it() -> None:
    assert {load(path).note for path in BAD} == set(FLAWS)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_was_not_drained_is_unknown_and_never_a_pass(path: Path) -> None:
    assert judge(replace(load(path), drained=False)).outcome == "unknown"


def test_a_drain_that_left_a_job_behind_is_no_drain() -> None:
    job = Job("p", "payout.send", "acme:payout:r:1", "retrying")
    told = (Event("p", 1, "queued", 0, 1.0), Event("p", 2, "running", 0, 2.0), Event("p", 3, "retrying", 0, 3.0))
    verdict = judge(History(asked=(Asked("payout.send", "acme:payout:r:1", "p"),), jobs=(job,), events=told))
    assert verdict.outcome == "unknown"


def test_a_duplicate_is_certain_even_before_the_drain() -> None:
    twice = tuple(Effect("email", "acme:email:7:1", seq) for seq in (1, 2))
    verdict = judge(History(asked=(Asked("email.send", "acme:email:7:1"),), effects=twice, drained=False))
    assert [one.flaw for one in verdict.findings] == ["duplicate"]


def test_pathological_everything_wrong_at_once_and_each_is_named() -> None:
    """Lost, charged twice, asked by nobody, overtaken, stuck, back from the dead, refused: all in one history."""

    def payout(n: int, state: str) -> tuple[Asked, Job]:
        key = f"acme:payout:{n}:1"
        return Asked("payout.send", key, f"p{n}", group="a"), Job(f"p{n}", "payout.send", key, state)

    asked, jobs = zip(*(payout(n, "succeeded") for n in (1, 2, 3)), strict=True)
    stuck_asked, stuck = payout(4, "running")
    events = [
        Event(job.id, n, state, percent, float(n))
        for job in jobs
        for n, (state, percent) in enumerate([("queued", 0), ("running", 0), ("succeeded", 100)], 1)
    ]
    events += [Event("p1", 4, "running", 40, 9.0), Event("p4", 1, "queued", 0, 1.0), Event("p4", 2, "running", 0, 2.0)]
    effects = [Effect("charge", f"acme:payout:{n}:1", seq) for seq, n in enumerate([2, 1, 1], 1)]
    effects += [Effect("charge", "acme:payout:ghost:1", 9), Effect("webhook", "acme:webhook:1:1:1:x", 10)]
    whole = History(
        (*asked, stuck_asked), (*jobs, stuck), tuple(events), tuple(effects), refused=("POST /v1/emails: 500",),
        drained=False, ended=100.0,
    )  # fmt: skip
    flaws = {one.flaw for one in judge(whole).findings}
    assert flaws == {"duplicate", "phantom", "out of order", "stuck", "illegal", "refused"}
    drained = replace(whole, drained=True, jobs=jobs, asked=asked)
    assert {one.flaw for one in judge(drained).findings} >= {"lost", "duplicate"}


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    for path in GOOD + BAD:
        save(load(path), tmp_path / "copy.json")
        assert load(tmp_path / "copy.json") == load(path)
