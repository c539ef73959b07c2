"""Exercise 6, judged by what the object store was asked to keep, and by the files that users got."""

import time

from exports import LINES, OVER, Export, export, file_of
from play import BOX, BUSY, LATE, SLOW, SOON, Scene, booted, played

from accepted.faults.store import Call
from accepted.grade.evidence import Moment
from accepted.grade.lost import lost
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Unknown

ONCE = "A step that is finished is never run again: its output stands in the database before the next one begins."
KILLED = "the workers were killed with SIGKILL while the object store held back the answer to {}"


def check_boots(stage: Stage) -> str:
    return f"four processes after {stage.played(booted):.1f} s"


def check_works(stage: Stage) -> str:
    one = export(stage, "works")
    stimulus = "an export of two parts, nothing going wrong"
    began = time.monotonic()
    stage.until(lambda: stage.state(one.job) in OVER, SOON)
    if stage.state(one.job) != "succeeded":
        if time.monotonic() - began > 4 * BOX and attempts(stage, one) > 4:
            raise Unknown("one run after the other was cut off by the box: the machine is too slow, or the tree is")
        quick_enough(stage)
        raise not_over(stage, one, stimulus)
    stored = one.stored(stage)
    if not stored:
        raise Unknown("the export was made, and none of what the store got has the size of its parts")
    whole(stage, one, stimulus, [])
    return f"{LINES} lines in two parts of {stored[0].size:,} and {stored[-1].size:,} bytes"


def check_workers_killed(stage: Stage) -> str:
    scene = stage.played(played)
    return f"three exports stood when their workers died; {len(scene.asked)} were asked for in all"


def check_killed_between_parts(stage: Stage) -> str:
    scene = stage.played(played)
    stored_once(stage, scene.asked["parts"], (1,), KILLED.format("the second part"), scene.marks)
    return "killed in the second part: the first was stored once"


def check_half_done_runs_again(stage: Stage) -> str:
    scene = stage.played(played)
    stimulus = KILLED.format("the second part")
    rule = "What was not finished is done again: the job goes on at the step in which its worker died."
    one = scene.asked["parts"]
    succeeded(stage, scene, one, stimulus, rule)
    whole(stage, one, stimulus, scene.marks)
    return "the second part was made again, and the file is whole"


def check_killed_after_query(stage: Stage) -> str:
    scene = stage.played(played)
    one = scene.asked["query"]
    stimulus = KILLED.format("the first part") + "; then one more invoice came into the report's month"
    succeeded(stage, scene, one, stimulus, ONCE)
    lines, _ = file_of(stage, one)
    if lines != LINES:
        if attempts(stage, one) > 1:
            raise Unknown(
                "the machine was too slow: a time box was over, so that its run, too, may have lost the query"
            )
        difference = f"expected the {LINES} lines that the query had found before the kill, found {lines}"
        raise broken(stage, one, stimulus, ONCE, difference, scene.marks)
    return f"the report has the {LINES} lines that were there when its query was made"


def check_killed_before_upload(stage: Stage) -> str:
    scene = stage.played(played)
    one = scene.asked["upload"]
    stimulus = KILLED.format("what came after the last part")
    stored_once(stage, one, (1, 2), stimulus, scene.marks)
    succeeded(stage, scene, one, stimulus, ONCE)
    whole(stage, one, stimulus, scene.marks)
    return "killed before the parts became a file: no part was stored again"


def check_progress_survives(stage: Stage) -> str:
    scene = stage.played(played)
    one, most = scene.asked["parts"], -1
    for at, percent in scene.percents:
        if percent < most:
            rule = "What a user saw of a job's progress stays true: the percent never falls, whoever dies."
            difference = f"expected {most} % or more, found {percent} %"
            marks = [*scene.marks, Moment(at, f"GET /jobs/{one.job[:8]} → {percent} %", f"{most} % were seen before")]
            raise broken(stage, one, KILLED.format("the second part"), rule, difference, marks)
        most = max(most, percent)
    if not scene.percents or scene.percents[0][1] <= 0:
        rule = "Each finished step moves the percent."
        difference = f"expected more than 0 % with the first part done, found {most} %"
        raise broken(stage, one, "an export whose first part is stored", rule, difference, scene.marks)
    return f"{scene.percents[0][1]} % before the kill, and never less in {len(scene.percents)} looks"


def check_time_box(stage: Stage) -> str:
    scene = stage.played(played)
    one, hung = scene.asked["hung"], scene.hung
    if hung is None:
        raise Unknown("the second part of an export was to hang, and was not stored within the time")
    left = hung.left
    if left is None or left - hung.at > BOX + LATE:
        rule = f"No run takes longer than the time box (TIME_BOX={BOX}), whatever hangs; then its worker is free."
        waited = (left or hung.ended or hung.at) - hung.at
        difference = f"expected the worker to let go of the call within {BOX + LATE:.1f} s; it held it {waited:.1f} s"
        stimulus = "the object store never answered the call that stores an export's second part"
        raise broken(stage, one, stimulus, rule, difference, scene.marks, {id(hung): "this one hung"})
    return f"a call that hung was let go of after {left - hung.at:.1f} s, in a box of {BOX} s"


def check_a_failure_costs_one_step(stage: Stage) -> str:
    scene = stage.played(played)
    one = scene.asked["hung"]
    stimulus = "the object store did not answer when the second part was stored, until the time box was over"
    stored_once(stage, one, (1,), stimulus, scene.marks, failures=1)
    succeeded(stage, scene, one, stimulus, "A step that failed is tried again, and those before it are not.")
    whole(stage, one, stimulus, scene.marks)
    return "tried again from the second part on: the first was stored once"


def check_longer_than_a_box(stage: Stage) -> str:
    scene = stage.played(played)
    one = scene.asked["slow"]
    stimulus = f"the object store was slow: one part took {SLOW} s of a box of {BOX} s, so two don't fit in"
    rule = (
        "Work of many time boxes goes on from box to box: where too little of the box is left for another step, the "
        "job gives itself back between two steps."
    )
    stored = one.stored(stage)
    for number, call in enumerate(stored):
        if call.left is None:
            continue
        if number == 0 or scene.runs[number] != scene.runs[number - 1]:
            raise Unknown("the machine was too slow: a box was over before its first part was stored")
        difference = f"expected the next part in a new box; it was begun in the old one, and cut off at {_took(call)}"
        raise broken(stage, one, stimulus, rule, difference, scene.marks, {id(call): "the box was over here"})
    succeeded(stage, scene, one, stimulus, rule)
    whole(stage, one, stimulus, scene.marks)
    return f"two parts, each stored {SLOW} s after its run began, in boxes of {BOX} s: none was cut off"


def _took(call: Call) -> str:
    return f"{(call.left or call.at) - call.at:.1f} s"


# -- what several of them ask


def stored_once(
    stage: Stage, one: Export, parts: tuple[int, ...], stimulus: str, marks: list[Moment], failures: int = 0
) -> None:
    """`failures`: runs that had to fail; an export without any was killed once. On a machine that is too slow the box
    or the lease cuts off others: each perhaps between a part and its record, so each may excuse that a part was stored
    once more. So may a box that was just over when the kill came, before anybody could write down that this run had
    failed."""
    late = not failures and stage.played(played).late
    excused = attempts(stage, one) - failures + lost(stage, one.job) - (0 if failures else 1)
    for part in parts:
        stored = one.stored(stage, part)
        if len(stored) > 1:
            if late or len(stored) <= excused:
                raise Unknown("the machine was too slow: a box or a lease was over before a part was recorded")
            again = {id(call): f"part {part} once more" for call in stored[1:]}
            difference = f"expected part {part} to be stored once, found {len(stored)} times"
            raise broken(stage, one, stimulus, ONCE, difference, marks, again)


def attempts(stage: Stage, one: Export) -> int:
    """Runs that failed, and the one that went well."""
    answer = stage.asked("GET", f"/jobs/{one.job}", seconds=10)
    job = answer.body.get("job") if isinstance(answer.body, dict) else None
    return int(job.get("attempts") or 1) if isinstance(job, dict) else 1


def whole(stage: Stage, one: Export, stimulus: str, marks: list[Moment]) -> None:
    lines, size = file_of(stage, one)
    parts = sum(found[-1].size for part in (1, 2) if (found := one.stored(stage, part)))
    if (lines, size) != (LINES, parts):
        rule = "The file is the whole report, whatever happened on the way."
        difference = f"expected {LINES} lines in {parts:,} bytes, found {lines} in {size:,}"
        raise broken(stage, one, stimulus, rule, difference, marks)


def succeeded(stage: Stage, scene: Scene, one: Export, stimulus: str, rule: str) -> None:
    if (state := stage.state(one.job)) != "succeeded":
        quick_enough(stage)
        if scene.late:
            raise Unknown("the machine was too slow: a time box was over before three exports stood at their edges")
        difference = f"expected job {one.job[:8]} to succeed, and it is {state or 'not to be found'}"
        raise broken(stage, one, stimulus, rule, difference, scene.marks)


def quick_enough(stage: Stage) -> None:
    """Raises Unknown on a machine so busy that time boxes and leases of seconds say nothing of the tree."""
    if (took := stage.played(booted)) > BUSY:
        raise Unknown(f"this machine is too busy: it took {took:.0f} s to start what takes five, and a box has {BOX} s")


def not_over(stage: Stage, one: Export, stimulus: str) -> Broken:
    difference = f"expected job {one.job[:8]} to succeed within {SOON:g} s; it is {stage.state(one.job) or 'not there'}"
    return broken(stage, one, stimulus, "A report that was accepted is made.", difference, [])


def broken(
    stage: Stage, one: Export, stimulus: str, rule: str, difference: str, marks: list[Moment],
    marked: dict[int, str] | None = None,
) -> Broken:  # fmt: skip
    costs = (
        "A report of an hour that loses everything with each deploy is never ready, and a worker that hangs on one "
        "report is missing to all the others."
    )
    look = "shared/steps.py; make hint-6"
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=[*marks, *one.seen(stage, marked)],
                  costs=costs, look=look, logs=["worker-cpu"])  # fmt: skip
