"""Exercise 9, judged by the memory of processes, by what lies in the object store, and by who gets which file."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from exports import GIVEN, TRIES, TTL, Fetched, Report, fetched, get, job_of, large, over, url_of, whole
from memory import Growth
from play import killed, left, swept, three
from urls import changed, told, with_ids_of

from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, TENANT, Stage
from accepted.grade.verdict import Broken, Unknown
from billing.seed import token

PARTS = 20
LARGE = 180.0  # s in which their export has to be over
BUDGET = 24_000_000  # bytes: three parts of a report
BEHIND = 300.0  # s for which a URL of the store may be good, to which ours redirects
MB = 1_000_000
SIGNED = "The URL is the key to the file, and it fits as it was given out, or not at all."


def check_boots(stage: Stage) -> str:
    return f"four processes after {stage.boot(held_store=True):.1f} s"


def check_works(stage: Stage) -> str:
    scene = stage.played(three)
    for one in scene.asked.values():
        if (state := job_of(stage, one).get("state")) != "succeeded":
            difference = f"expected job {one.job[:8]} to succeed, and it is {state or 'not to be found'}"
            rule = "A report that was accepted is made."
            raise broken(stage, one, "three reports at the same time", rule, difference)
    return f"{len(scene.asked)} reports, each worker made one"


def check_url_works(stage: Stage) -> str:
    found = stage.played(given_out)
    for one in stage.played(three).asked.values():
        if wrong := whole(stage, one):
            raise broken(stage, one, "GET of the URL that the job shows", GIVEN, wrong)
    return f"a file of {found.got.lines} lines behind {urlsplit(found.url).path[:24]}…"


def check_flat_memory(stage: Stage) -> str:
    with Growth(stage) as grown:
        one = large(stage, "big", PARTS)
        began = time.time()
        done = stage.until(lambda: over(stage, one), LARGE)
        ended = time.time()
    if not done:
        raise Unknown(f"the large export was not over within {LARGE:g} s")
    if wrong := whole(stage, one):
        raise broken(stage, one, f"an export of {PARTS} parts", "The file is the whole report, however large.", wrong)
    size = job_of(stage, one)["result"]["bytes"]
    name, most = max(grown.by_name().items(), key=lambda each: each[1])
    if most > BUDGET:
        rule = f"Memory does not grow with the report: a process needs at most {BUDGET / MB:.0f} MB above what it had."
        difference = f"expected {BUDGET / MB:.0f} MB at most, found that {name} grew by {most / MB:.0f} MB"
        marks = [Moment(began, f"an export of {size / MB:.0f} MB is asked for"),
                 Moment(ended, f"{name} has held {most / MB:.0f} MB more than before", "the peak")]  # fmt: skip
        raise broken(stage, one, f"one export of {size / MB:.0f} MB", rule, difference, marks)
    return f"{size / MB:.0f} MB made with {most / MB:.1f} MB more than before, in {ended - began:.1f} s"


def check_url_is_signed(stage: Stage) -> str:
    one = stage.played(three).asked["ours"]
    if not (number := refused(stage, one, changed, SIGNED)):
        raise Unknown("a URL was to be changed, and there is nothing in it that could be a signature")
    return f"{number} changes, each refused"


def check_url_opens_one_file(stage: Stage) -> str:
    scene = stage.played(three)
    ours, theirs = scene.asked["ours"], scene.asked["theirs"]
    rule = "A tenant's file is for the tenant, and for whoever got its URL from it: for others it does not exist."
    answer = stage.ask("GET", f"/jobs/{theirs.job}/artifact", tenant=TENANT)
    if answer.status != 404:
        raise broken(stage, theirs, f"GET of its artifact, as {TENANT}", rule, f"expected 404, found {answer}")
    got = get(url_of(stage, theirs), {"Authorization": f"Bearer {token(TENANT)}"})
    if got.opened:
        raise broken(stage, theirs, f"GET of its URL, as {TENANT}", rule, f"expected 404, found {got}")
    others = (("another report", scene.asked["our other"]), (f"a report of {OTHER}", theirs))

    def swapped(url: str) -> dict[str, str]:
        tried = {f"the ids of {what} put in": with_ids_of(stage, url, ours, one) for what, one in others}
        return {what: other for what, other in tried.items() if other}

    put_in = refused(stage, ours, swapped, rule)
    return f"nothing of {OTHER} for {TENANT}: by its job, by its URL, by ids put into our own ({put_in} tried)"


def check_workers_killed(stage: Stage) -> str:
    scene = stage.played(killed)
    return f"{len(scene.asked)} uploads stood when their workers died"


def check_resumes(stage: Stage) -> str:
    scene = stage.played(killed)
    for one in scene.asked.values():
        if wrong := whole(stage, one):
            where = {"begin": "begun an upload", "part": "stored its last part", "end": "made the file"}[one.name]
            stimulus = f"the worker was killed when the store had {where}, and had not told it so"
            rule = "An upload that was cut off is taken up, or done again: the file is the whole report."
            raise broken(stage, one, stimulus, rule, wrong, scene.marks)
    return f"{len(scene.asked)} uploads cut off, {len(scene.asked)} files, all whole"


def check_no_orphan_object(stage: Stage) -> str:
    scene = stage.played(swept)
    objects, _ = left(stage)
    if objects:
        raise orphans(stage, objects, "objects that no report points at", scene.marks)
    for one in scene.asked.values():
        if wrong := whole(stage, one):
            rule = "A sweep leaves what reports point at."
            raise broken(stage, one, "the scheduler swept, and files were fetched once more", rule, wrong, scene.marks)
    return f"{len(stage.store.objects())} objects, each of them a report's file"


def check_no_orphan_upload(stage: Stage) -> str:
    scene = stage.played(swept)
    _, uploads = left(stage)
    if uploads:
        raise orphans(stage, uploads, "uploads that nobody will finish", scene.marks)
    return "no upload is left open"


def check_url_expires(stage: Stage) -> str:
    one = stage.played(three).asked["ours"]
    found = stage.played(given_out)
    url, at, fresh = found.url, found.at, found.got
    if not fresh.opened:
        raise Unknown(f"a URL was to be open while its time lasts, and came to {fresh}")
    behind = [parse_qs(urlsplit(hop).query).get("expires", [""])[0] for hop in fresh.through[1:] or fresh.through]
    lasts = max([float(until) - at for until in behind if until.isdigit()], default=0.0)
    if not stage.until(lambda: time.time() > at + TTL + 1.5, TTL + 3):
        raise Unknown("the time of a URL was to pass, and did not")
    got = get(url)
    rule = f"A URL is good for URL_TTL seconds, here {TTL:g}, and what it redirects to for {BEHIND:g} at most."
    seen = [Moment(at, f"GET {told(url)} → {fresh}"), Moment(time.time(), f"GET {told(url)} → {got}")]
    if got.opened:
        difference = f"expected 410 or 403 after {TTL + 1.5:g} s, found {got}"
        raise broken(stage, one, "GET of a report's URL when its time was over", rule, difference, seen)
    if lasts > BEHIND:
        difference = f"expected that URL to be good for {BEHIND:g} s at most, found {lasts:.0f} s"
        raise broken(stage, one, "GET of a report's URL, which led on to one of the store's", rule, difference, seen)
    return f"{got.status} after {TTL + 1.5:g} s"


def given_out(stage: Stage) -> Fetched:
    """A URL, and what it came to while its time lasted."""
    return fetched(stage, stage.played(three).asked["ours"])


# -- what several of them say


def refused(stage: Stage, one: Report, tampered: Callable[[str], dict[str, str]], rule: str) -> int:
    """How many URLs were tried: those that `tampered` makes of one, by what is changed in them. Each is made of a
    fresh one, because a refusal when the time is over says nothing. Raises Unknown where one was never in time."""
    tried = 0
    for what in tampered(url_of(stage, one)):
        for _ in range(TRIES):
            asked = time.monotonic()
            url = tampered(url_of(stage, one)).get(what, "")
            if not url:
                break  # two URLs of the same second may have a half in common, and nothing to change in it
            got = get(url)
            if got.opened or (got.status not in (0, 503) and time.monotonic() - asked < TTL - 1):
                break
        else:
            if got.status < 500:
                raise Unknown(f"a URL with {what} was to be refused while its time lasted, and came to {got}")
        if url and (got.opened or got.status >= 500):
            seen = [Moment(time.time(), f"GET {told(url)} → {got}", "this one")]
            difference = f"expected a refusal (403, 404, 410), found {got}"
            raise broken(stage, one, f"GET of a report's URL, with {what}", rule, difference, seen)
        tried += bool(url)
    return tried


def orphans(stage: Stage, keys: list[str], what: str, marks: list[Moment]) -> Broken:
    one = stage.played(killed).asked["begin"]
    rule = (
        "What killed runs leave is swept after an hour: under TENANT/reports/REPORT/vVERSION/NUMBER.csv the sweep "
        "knows whose it is. What nobody can find is paid for, for ever."
    )
    seen = [*marks, *(Moment(time.time(), f"in the store: {key}", "an orphan") for key in keys)]
    return broken(
        stage, one, "workers were killed in their uploads; the reports were made; the scheduler swept", rule,
        f"expected none, found {len(keys)} {what}, the first: {keys[0]}", seen,
    )  # fmt: skip


def broken(
    stage: Stage, one: Report, stimulus: str, rule: str, difference: str, marks: list[Moment] | None = None
) -> Broken:
    costs = (
        "One large customer's export takes a worker's whole memory, and all that run beside it; and a link that was "
        "sent on opens somebody's books for everybody."
    )
    look = "shared/artifacts.py; make hint-9"
    return Broken(stimulus=stimulus, rule=rule, difference=difference, evidence=[*(marks or []), *one.seen(stage)],
                  costs=costs, look=look, logs=["worker-cpu", "web"])  # fmt: skip
