"""Exercise 8, judged by clients of the event stream, and by those who ask with GET meanwhile."""

import time
from collections.abc import Sequence
from uuid import UUID

from findings import broken, from_the_end, frozen, marked, of
from idle import idle, p95, too_costly
from judging import backward, falls, gap_or_repeat, lost_or_twice, to_the_end, too_quiet
from listening import heard_all
from play import day, silence

from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, TENANT, Stage

TAKEN_OVER = "a report's worker was frozen half-way; another took over and finished it; then the first one woke"


def check_boots(stage: Stage) -> str:
    return f"seven processes after {stage.boot(scale={'worker-cpu': 2}):.1f} s"


def check_shows_progress(stage: Stage) -> str:
    done = stage.played(day)
    between = sorted({look.seen[1] for look in done.views if 0 < look.seen[1] < 100})
    if not between:
        raise broken(
            done, [look.moment() for look in done.views],
            stimulus="a report of a year was asked for as PDF; GET of the job ten times a second",
            rule="Whoever asks is told how far the work is.",
            difference="expected a percent between 0 and 100, found none",
            costs="The user sees a bar that stands still, reloads the page, and orders the report again.",
        )  # fmt: skip
    return f"GET showed {', '.join(map(str, between))} % on the way"


def check_tells_every_event(stage: Stage) -> str:
    done = stage.played(day)
    steady, replay = of(done.steady), of(done.replay)
    wanted = list(range(1, len(to_the_end(replay.events)) + 1))
    stimulus = "GET /jobs/<id>/events of a report, from before it began until its end, and once more afterwards"
    costs = "A page that missed the last event says 'running' for ever."
    for who, one in (("who comes later", replay), ("who listens", steady)):
        events = to_the_end(one.events)
        numbers = [event.key[1] for event in events]
        odd = gap_or_repeat(numbers, wanted)
        wrong = [event for event in events if event.id != str(event.key[1])]
        if not events or odd or wrong or not one.over:
            found = odd or (f"id {wrong[0].id} for event {wrong[0].key[1]}" if wrong else "no end")
            found = found if events else f"none, and status {one.status}"
            raise broken(
                done, [event.moment(who, "this one" if event in wrong[:1] else "") for event in events],
                stimulus=stimulus,
                rule="A job's stream tells every event of it from number 1 to its end; each one's id is its number.",
                difference=f"expected events {wanted[0] if wanted else 1} to the end, found {found}", costs=costs,
            )  # fmt: skip
    if not steady.connections[-1].ended:
        raise broken(
            done, [event.moment("who listens") for event in steady.events], stimulus=stimulus,
            rule="The stream ends after the job's end.", difference="expected the server to hang up, and it did not",
            costs="A connection for each job that anybody ever looked at.",
        )  # fmt: skip
    return f"{len(wanted)} events, numbered from 1, to the end"


def check_resumes(stage: Stage) -> str:
    done = stage.played(day)
    all_of_it = of(done.replay).events
    wanted = [event.key[1] for event in to_the_end(all_of_it)]
    cut, rule = of(done.cut), "Last-Event-ID: n resumes after event n: nothing is missing, and nothing comes twice."
    costs = "A phone in a train loses its connection each minute: the bar jumps back, or the end is never heard."
    if odd := gap_or_repeat([event.key[1] for event in to_the_end(cut.events)], wanted):
        raise broken(
            done, [event.moment("who comes back") for event in cut.events], rule=rule, costs=costs,
            stimulus="a client of a job's stream hung up after each event, and came back with Last-Event-ID",
            difference=f"expected events 1 to {wanted[-1]}, found {odd}",
        )  # fmt: skip
    path = f"/jobs/{done.report}/events"
    places = wanted[:-1]
    for last in sorted({places[0], places[-1], *stage.rng.sample(places, min(4, len(places)))}):
        again = heard_all(stage, path, TENANT, str(last))
        heard = to_the_end(again.events)
        if odd := gap_or_repeat([event.key[1] for event in heard], wanted[wanted.index(last) + 1 :]):
            raise broken(
                done, [event.moment("who comes back") for event in heard], rule=rule, costs=costs,
                stimulus=f"GET {path} with Last-Event-ID: {last}, when the job was over",
                difference=f"expected events {last + 1} to {wanted[-1]}, found {odd}",
            )  # fmt: skip
    if len(all_of_it) == len(wanted) and (late := heard_all(stage, path, TENANT, str(wanted[-1]))).status != 204:
        raise broken(
            done, [event.moment("who comes back") for event in late.events],
            stimulus=f"GET {path} with Last-Event-ID: {wanted[-1]}, the last that there is",
            rule="Who has heard all of it is told to stay away: 204.", difference=f"expected 204, found {late.status}",
            costs="A browser's EventSource comes back after each end of a stream: every three seconds, for ever.",
        )  # fmt: skip
    return f"{len(cut.connections)} connections for {len(wanted)} events, and six resumed afterwards: each once"


def check_tenant_stream_resumes(stage: Stage) -> str:
    done = stage.played(day)
    jobs = [done.report, *done.others]
    wanted = [event.key for job in jobs
              for event in to_the_end(heard_all(stage, f"/jobs/{job}/events", TENANT).events)]  # fmt: skip
    clients = {
        "who listens": of(done.tenant),
        "who hangs up after each event": of(done.tenant_cut),
        "who comes at the end, ?since= of the beginning": of(done.away),
    }
    for who, one in clients.items():
        key, odd = lost_or_twice([event.key for event in one.events], wanted)
        if odd:
            late = ", whose transaction began before others and was committed after them" if key[0] == done.late else ""
            moments = [event.moment(who, "this one" if event.key == key else "") for event in one.events]
            raise broken(
                done, moments,
                stimulus="GET /events while a report, two mails and a payout came to their ends; the payout's "
                "transaction was held open while the mails' were committed",
                rule="The tenant's stream tells every event of every job once, however often its client comes back.",
                difference=f"{who}: event {key[1]} of job {key[0][:8]}{late} {odd}",
                costs="A dashboard that runs all day shows jobs as running that ended this morning.",
            )  # fmt: skip
    held = "was held open" if done.late_was_held else "was not held by what the grader locks"
    return f"{len(wanted)} events of {len(jobs)} jobs, once for each of three clients; the payout's transaction {held}"


def check_moves_forward(stage: Stage) -> str:
    done = frozen(stage)
    replay, cut = of(done.replay), of(done.cut)
    looks = from_the_end(done.views)
    views: list[tuple[str, Sequence[str], Sequence[Moment]]] = [
        (f"GET /jobs/{done.report[:8]}", [one.seen[0] for one in looks], [one.moment() for one in looks]),
        ("the job's events", [e.seen[0] for e in replay.events], [e.moment("replay") for e in replay.events]),
        ("who comes back", [e.seen[0] for e in cut.events], [e.moment("who comes back") for e in cut.events]),
    ]
    ended, last = [one.seen[0] for one in looks[-1:]], [one.moment() for one in looks[-1:]]
    final = stage.asked("GET", f"/jobs/{done.report}")
    views.append(("GET at the end", [*ended, stage.state(done.report)], [*last, final.moment()]))
    for who, states, moments in views:
        place, odd = backward(states)
        if odd:
            raise broken(
                done, marked(moments, place), stimulus=TAKEN_OVER,
                rule="States only move forward; what has ended stays as it ended, whoever still writes.",
                difference=f"{who}: {odd}",
                costs="A report that is there says 'running' again, for ever: who should end it has long gone.",
            )  # fmt: skip
    return f"events: {len(replay.events)}, looks: {len(done.views)}, never backward; frozen at {done.frozen_at[1]} %"


def check_percent_never_falls(stage: Stage) -> str:
    done = frozen(stage)
    views: list[tuple[str, Sequence[int], Sequence[Moment]]] = [
        (f"GET /jobs/{done.report[:8]}", [one.seen[1] for one in done.views], [one.moment() for one in done.views])
    ]
    for who, one in (("the job's events", of(done.replay)), ("who comes back", of(done.cut))):
        views.append((who, [e.seen[1] for e in one.events], [e.moment(who) for e in one.events]))
    for who, percents, moments in views:
        place, odd = falls(percents)
        if odd:
            raise broken(
                done, marked(moments, place), stimulus=TAKEN_OVER, rule="A job's percent never falls.",
                difference=f"{who}: {odd}", costs="Users who see a bar go back think that it broke, and press again.",
            )  # fmt: skip
    return f"frozen at {done.frozen_at[1]} %, begun again by another worker, and never less"


def check_view_keeps_up(stage: Stage) -> str:
    done = stage.played(day)
    events = {event.key[1]: event.seen for event in of(done.replay).events}
    for look in done.views:
        odd = ""
        if not look.job:
            odd = f"no view: {look.answer}"
        elif look.seq < look.before:
            odd = f"event {look.seq}, after the stream had told event {look.before}"
        elif events.get(look.seq, look.seen) != look.seen:
            state, percent = events[look.seq]
            odd = f"{look.seen[0]} {look.seen[1]} % as event {look.seq}, which is {state} {percent} %"
        if odd:
            near = [each.moment("this one" if each is look else "") for each in done.views]
            raise broken(
                done, [*near, *(event.moment("who listens") for event in of(done.steady).events)],
                stimulus="GET of a job ten times a second, beside a client of its stream",
                rule="GET and stream tell the same: what the stream has told, GET shows, at once.",
                difference=f"found {odd}",
                costs="The stream says that it is done, the page asks for the file, and is told that it is not there.",
            )  # fmt: skip
    return f"{len(done.views)} looks, none behind the stream, none unlike it"


def check_heartbeats(stage: Stage) -> str:
    done = stage.played(day)
    quiet = {"the stream of a tenant to whom nothing happens": of(done.stranger), "a job's stream": of(done.steady)}
    counted = []
    for who, one in quiet.items():
        comments = [at for each in one.connections for at in each.comments]
        times = one.quiet(done.over if one is done.stranger else one.events[-1].at if one.events else done.over)
        if too_quiet(times, len(comments), silence(done.looks)):
            found = f"{len(comments)} comments, and {times[-1]:.1f} s in which nothing came"
            raise broken(
                done, [*(Moment(at, f"{who}: a comment") for at in comments), *(e.moment(who) for e in one.events)],
                stimulus="two streams stayed open; SSE_HEARTBEAT is 0.5 s",
                rule="A stream is never silent for longer than SSE_HEARTBEAT: a comment comes where nothing else does.",
                difference=f"{who}: expected a comment each half second, found {found}",
                costs="Proxies cut what is silent for a minute; who writes nothing never learns who left.",
            )  # fmt: skip
        counted.append(len(comments))
    return f"{counted[0]} comments to a tenant to whom nothing happened, {counted[1]} between a job's events"


def check_others_get_404(stage: Stage) -> str:
    done = stage.played(day)
    path = f"/jobs/{done.report}/events"
    asked = [
        (path, OTHER, 404, "another tenant's job"),
        (f"/jobs/{UUID(int=stage.rng.getrandbits(128), version=4)}/events", TENANT, 404, "a job that is not there"),
        (path, None, 401, "a job, without a token"),
        ("/events", None, 401, "the tenant's stream, without a token"),
    ]
    seen = []
    for where, tenant, wanted, what in asked:
        at, one = time.time(), heard_all(stage, where, tenant)
        seen.append(
            Moment(at, f"GET {where} as {tenant or 'nobody'} → {one.status}", "" if one.status == wanted else what)
        )
        if one.status != wanted:
            raise broken(
                done, [*seen, *(event.moment("a stranger") for event in one.events)], stimulus=f"GET {where}: {what}",
                rule="A stream is its tenant's: for another the job does not exist.",
                difference=f"expected {wanted}, found {one.status}; events heard: {len(one.events)}",
                costs="Ids stand in logs, in links and in tickets. Whoever reads one reads along.",
            )  # fmt: skip
    if told := [event for event in of(done.stranger).events if event.key[0] in {done.report, *done.others}]:
        raise broken(
            done, [event.moment(f"a client of {OTHER}", "not its own") for event in told],
            stimulus=f"GET /events as {OTHER}, while {TENANT}'s jobs came to their ends",
            rule="A tenant's stream tells of its own jobs.", difference=f"found {len(told)} events of {TENANT}",
            costs="A customer watches another customer's business.",
        )  # fmt: skip
    return "404 for another tenant and an unknown job, 401 without a token; the other tenant heard nothing"


def check_idle_streams_cost_little(stage: Stage) -> str:
    stage.played(day)  # it is over
    done = stage.played(idle)
    if wrong := too_costly(done):
        raise wrong
    api = f"{p95(done.beside):.0f} ms, {p95(done.base):.0f} ms before"
    return f"{done.open} open: {done.commits:.0f} transactions a second; API p95 {api}"
