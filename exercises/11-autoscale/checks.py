"""Exercise 11, judged by the workers that there are, by the partner's ledger, and by what the tree's law answers."""

from itertools import pairwise

import play
from findings import LAW, REPLICAS, ages, broken, told
from play import AGE, CAP, COOLDOWN, FLOOR, LONG, MANY, STEP, TAKES, Ended, seen, watch
from reckoned import check_a_hundred_times, check_blind, check_long_jobs, check_steady_load
from traces import law_of

from accepted.grade import evidence
from accepted.grade.stage import Stage
from accepted.grade.verdict import Unknown
from accepted.scaling import course

__all__ = ["check_a_hundred_times", "check_blind", "check_long_jobs", "check_steady_load"]
OWN = CAP - FLOOR


def check_boots(stage: Stage) -> str:
    return f"five processes after {stage.boot():.1f} s"


def check_works(stage: Stage) -> str:
    job, took = stage.played(play.works)
    sent = stage.ledger(kind="email")["effects"]
    if stage.state(job) not in play.OVER or len(sent) != 1:
        raise broken("an e-mail was asked for", "A job that was accepted comes to a good end.",
                     f"expected one mail, found {len(sent)}; the job is {stage.state(job)}",
                     evidence.job_events(stage.stack.addresses.database, [job]), "Nothing works for anybody.",
                     "exercises 1 to 9")  # fmt: skip
    return f"one mail after {took:.2f} s"


BURST = f"{MANY} e-mails were asked for at once, each of which takes the provider {TAKES:g} s; there was one worker"


def check_lag_comes_back(stage: Stage) -> str:
    scene = stage.played(play.burst)
    most = stage.played(watch).most(scene.began)
    took = None if scene.back is None else scene.back - scene.began
    if took is None or took > scene.allowed:
        if scene.boot > play.TOO_SLOW:  # of the first one; the others may have taken any time
            raise Unknown(f"{most} workers were started, and the first of them took {scene.boot:.0f} s to begin")
        found = f"after {took:.1f} s" if took is not None else f"not after {scene.allowed:.1f} s"
        raise broken(
            BURST, f"The oldest job is inside {AGE:g} s again as soon as {CAP} workers can bring it there.",
            f"expected it within {scene.allowed:.1f} s ({play.SLACK:g} times what they take, and {scene.boot:.1f} s to"
            f" begin), found it {found}; there were {FLOOR + most} workers at most",
            [*ages(scene), *seen(stage, scene.began)],
            "The mail that resets a password comes after the user has given up, on the day that counts.", LAW,
        )  # fmt: skip
    worst = max(age for _, age in scene.ages)
    return f"{worst:.1f} s at the worst, inside {AGE:g} s after {took:.1f} s with {FLOOR + most} workers"


def check_never_past_the_cap(stage: Stage) -> str:
    scene, law = stage.played(play.burst), stage.played(law_of)
    rule = "The cap holds, whatever waits: each worker takes connections and slots of those who can't be scaled."
    costs = "A burst becomes an outage of the database, and then nothing works, the API included."
    most = stage.played(watch).most(scene.began)
    if most > OWN:
        raise broken(BURST, rule, f"expected {CAP} workers at most, found {FLOOR + most}", seen(stage, scene.began),
                     costs, REPLICAS)  # fmt: skip
    for name, played in law.items():
        cap = int(played.limits["cap"])
        over = [(now, there, answer) for now, there, _, answer in played.asked if answer > cap]
        if over:
            at, _, answer = over[0]
            raise broken(
                f"the law was asked about a load ({name}), with a cap of {cap}", rule,
                f"expected {cap} at most, found {answer} at {at:.1f} s", told(played, at), costs, LAW,
            )  # fmt: skip
    return f"{FLOOR + most} at most, and the law never asked for more in {len(law)} loads"


def check_home_slowly(stage: Stage) -> str:
    scene, played = stage.played(play.burst), stage.played(law_of)["a hundred times"]
    rule = "When it is over, workers go: one at a time, a step apart, not before fewer were enough for a cool-down."
    costs = "The second wave comes a minute after the first, and finds one worker."
    if scene.home is None:
        raise broken(f"{BURST}; then nothing more came", rule, "expected the floor again, found "
                     f"{FLOOR + len(stage.played(watch).alive())} workers", seen(stage, scene.began),
                     "You pay for the largest burst that ever was, every night.", LAW)  # fmt: skip
    falls = [at for (_, before), (at, after) in pairwise(stage.played(watch).changes(scene.began)) if after < before]
    first = next((at for at in falls if at <= scene.home), scene.home)
    if first < scene.busy_until + COOLDOWN / 2:
        raise broken(f"{BURST}; then nothing more came", rule, f"expected {COOLDOWN:g} s of cool-down, found "
                     f"{first - scene.busy_until:.1f} s until the first one went", seen(stage, scene.began), costs,
                     LAW)  # fmt: skip
    busy = max((point.at for point in played.points if point.waiting), default=0.0)
    down = course.falls(played.points)
    hasty = [at for at, _ in down if at < busy + COOLDOWN / 2]
    jumps = [(at, by) for at, by in down if by > 1]
    near = [(one, other) for (one, _), (other, _) in pairwise(down) if other - one < STEP - 0.05]
    odd = [(at, f"one went {at - busy:.1f} s after the last had waited") for at in hasty]
    odd += [(at, f"{by} went at once") for at, by in jumps]
    odd += [(at, f"two went {after - at:.1f} s apart") for at, after in near]
    if odd:
        at, what = min(odd)
        raise broken("the law was asked about the burst that was recorded, and the quiet after it", rule,
                     f"expected a cool-down of {COOLDOWN:g} s and steps of {STEP:g} s, found that {what}",
                     told(played, at), costs, LAW)  # fmt: skip
    return f"the first went {first - scene.busy_until:.1f} s after the last had waited; home after " \
           f"{scene.home - scene.busy_until:.1f} s"  # fmt: skip


def check_told_to_stop(stage: Stage) -> str:
    scene = stage.played(play.told_to_stop)
    _ended_well(stage, scene, "was told to stop with SIGTERM, as by a deploy",
                "Who must go takes no more jobs and ends the one that it has: SIGTERM once, and patience.")  # fmt: skip
    return f"{len(scene.workers)} workers ended their jobs and went; each of {len(scene.jobs)} jobs was begun once"


def check_killed(stage: Stage) -> str:
    scene = stage.played(play.killed)
    _ended_well(stage, scene, "was killed with SIGKILL", "Whoever is left without an autoscaler goes by itself.")
    most = stage.played(watch).most(scene.at)
    if most > OWN:
        raise broken(
            "the autoscaler was killed with SIGKILL, and started again",
            "The next one keeps the cap, whoever is there.",
            f"expected {CAP} workers at most, found {FLOOR + most}", [*scene.marks, *seen(stage, scene.at)],
            "Each crash of the autoscaler adds workers, until the database has no connection left.", REPLICAS,
        )  # fmt: skip
    return f"its {len(scene.workers)} workers ended their jobs and went; {FLOOR + most} workers at most since"


def _ended_well(stage: Stage, scene: Ended, how: str, rule: str) -> None:
    asked = f"{len(scene.jobs)} e-mails were asked for, each of which takes {LONG:g} s"
    stimulus = f"{asked}; with some at work, the autoscaler {how}"
    moments = [*scene.marks, *evidence.calls({"calls": scene.calls, "effects": []}), *seen(stage, scene.at)]
    if scene.again:
        raise broken(
            stimulus, rule, f"expected every job to be begun once, found {len(scene.again)} begun again", moments,
            "Each scale-down and each deploy kills jobs: they are done again, and late; and of the call that was cut, "
            "nobody knows whether it counted.", REPLICAS,
        )  # fmt: skip
    if not scene.gone:
        left = sum(one.is_running() for one in scene.workers)
        raise broken(
            stimulus, rule, f"expected all {len(scene.workers)} of its workers to go, found {left} of them still there",
            moments, "Workers that nobody counts and nobody stops: they hold connections, and run last week's code.",
            REPLICAS,
        )  # fmt: skip
