"""The checks of exercise 11 for which the tree's own law is asked about loads that nobody has to have."""

from findings import LAW, broken, told
from play import AGE, Burst, burst
from traces import TIMES, law_of

from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown
from accepted.scaling import course


def check_a_hundred_times(stage: Stage) -> str:
    scene: Burst = stage.played(burst)
    played = stage.played(law_of)["a hundred times"]
    back = course.back_inside(played.points, AGE)
    if back is None or back > scene.allowed:
        found = f"after {back:.1f} s" if back is not None else "never"
        raise broken(
            f"the law was asked about the recorded burst, {TIMES} times as large, with workers {TIMES} times the size",
            "The law goes by what there is to do and what there is to do it with, not by numbers that fit one day.",
            f"expected the oldest job inside {AGE:g} s within {scene.allowed:.1f} s, found it {found}",
            told(played, back or played.points[-1].at), "It works until you are successful.", LAW,
        )  # fmt: skip
    return f"{len(scene.jobs) * TIMES} jobs: inside {AGE:g} s after {back:.1f} s, {played.points[-1].at:.0f} s reckoned"


def check_long_jobs(stage: Stage) -> str:
    played = stage.played(law_of)["long"]
    slots, cap = int(played.limits["slots"]), int(played.limits["cap"])
    for now, there, look, answer in played.asked:
        if look and answer < there and answer < cap and answer * slots < look["running"]:
            raise broken(
                "the law was asked about jobs of a minute each, 18 of which come within five seconds",
                "What is at work counts: who is busy is needed, though nobody waits.",
                f"expected room for the {look['running']} jobs at work, found {answer} workers of {slots} slots at"
                f" {now:.0f} s", told(played, now),
                "Workers are told to go in the middle of the work, and have to come back for the next wave.", LAW,
            )  # fmt: skip
    return f"never fewer than the {max(point.running for point in played.points)} jobs at work needed"


def check_steady_load(stage: Stage) -> str:
    played = stage.played(law_of)["steady"]
    settled = [point for point in played.points if point.at >= 120]
    turns = course.turns(settled)
    if turns > 2:
        raise broken(
            "the law was asked about a load of 145 jobs/s that sways by a tenth, for ten minutes",
            "A load that is steady but for its noise has a steady number of workers: there is hysteresis.",
            f"expected two turns at most, from up to down or back, found {turns}", told(played, turning(settled)),
            "Workers that are always just starting: you pay for the boots, and your users wait for them.", LAW,
        )  # fmt: skip
    between = sorted({point.replicas for point in settled})
    return f"{between[0]} to {between[-1]} workers in eight minutes, {turns} turns"


def turning(points: list[course.Point]) -> float:
    """When it turned for the third time."""
    for n in range(len(points)):
        if course.turns(points[:n]) > 2:
            return points[n - 1].at
    return points[-1].at


def check_blind(stage: Stage) -> str:
    played = stage.played(law_of)["blind"]
    dark = [(now, there, answer) for now, there, look, answer in played.asked if look is None]
    if not dark or dark[0][1] <= int(played.limits["floor"]):
        raise Unknown("there were to be more workers than the floor when the law could see nothing any more")
    for now, there, answer in dark:
        if answer != there:
            raise broken(
                "a burst came; four seconds later nothing could be seen for a minute, as when the broker is down",
                "While nothing can be seen, nothing changes: no answer is not the answer nought.",
                f"expected {there} workers to stay, found {answer} after {now - dark[0][0]:.0f} s in the dark",
                told(played, now), "The broker comes back with all that had waited, and you have sent everybody home.",
                LAW,
            )  # fmt: skip
    return f"{dark[0][1]} workers through {dark[-1][0] - dark[0][0]:.0f} s in the dark"
