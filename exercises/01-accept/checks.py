"""Exercise 1, judged from outside: HTTP, and rows in Postgres."""

import time

from bad_input import REPORT, requests
from findings import LOOK, key_broken, rows
from play import BURST, ROUNDS, SIDE_BY_SIDE, in_flight, quickest

from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, Answer, Stage
from accepted.grade.verdict import Broken, Unknown

AT_ONCE, TRIES = 2.0, 3  # s in which an answer that waits for nothing is there; a stall may cost one of so many tries
TABLES = ("reports", "payouts", "jobs", "outbox", "idempotency_keys")


def check_boots(stage: Stage) -> str:
    took = stage.boot()
    answer = stage.ask("GET", "/session", seconds=30)
    if answer.status != 200:
        raise Broken(
            stimulus="GET /session with the token of a tenant",
            rule="A user with a good token is let in.",
            difference=f"expected 200, found {answer}",
            evidence=[answer.moment()],
            costs="Nobody can use anything.",
            look="shared/auth.py is given: compare it with solutions/",
        )
    return f"web is up after {took:.1f} s"


def check_answers_at_once(stage: Stage) -> str:
    stage.ask("GET", "/jobs")  # its first connection to Postgres is no part of what is measured
    frozen = stage.freeze_store()
    try:
        for _ in range(TRIES):
            answer = stage.ask("POST", "/v1/reports", REPORT, seconds=AT_ONCE)
            if answer.status:
                break
    finally:
        stage.thaw_store()

    def broken(difference: str) -> Broken:
        return Broken(
            stimulus="the object store was frozen; then a user asked for a report with POST /v1/reports",
            rule="A request for background work is written down and answered with 202, Location and Retry-After. "
            "It waits for nothing that the work itself needs.",
            difference=difference,
            evidence=[frozen, answer.moment("this is what the user got"), *rows(stage)],
            costs="When storage or a partner is slow, so is your API: all threads wait, and the users of everything "
            "else get time-outs as well.",
            look=LOOK,
        )

    if not answer.status:
        raise broken(f"expected 202 within {AT_ONCE:g} s, found {answer}, and so {TRIES} times")
    if answer.status != 202:
        raise broken(f"expected 202, found {answer.status}: {answer.text[:120]}")
    for header in ("Location", "Retry-After"):
        if not answer.headers.get(header):
            raise broken(f"expected a header {header}, found {', '.join(answer.headers)}")
    if not answer.headers["Retry-After"].isdigit():
        raise broken(f"expected Retry-After to be seconds, found {answer.headers['Retry-After']!r}")
    if not answer.job:
        raise broken(f'expected a body {{"job": {{"id": …}}}}, found {answer.text[:120]}')
    return f"202 in {answer.ms:.0f} ms while the object store hung"


def check_job_can_be_found(stage: Stage) -> str:
    made = stage.ask("POST", "/v1/reports", REPORT)
    path = made.headers.get("Location", "")
    ours, theirs = stage.ask("GET", path), stage.ask("GET", path, tenant=OTHER)

    def broken(difference: str, mark: Answer) -> Broken:
        return Broken(
            stimulus="POST /v1/reports, then GET of its Location, as the tenant that asked and as another",
            rule="Location names the job for the tenant that asked; for another tenant it does not exist.",
            difference=difference,
            evidence=[each.moment("this one" if each is mark else "") for each in (made, ours, theirs)],
            costs="A client that can't find its job asks again, and again; one that finds another's tells the press.",
            look=LOOK,
        )

    if ours.status != 200 or ours.job != made.job:
        raise broken(f"expected 200 and job {made.job}, found {ours}", ours)
    if theirs.status != 404:
        raise broken(f"expected 404 for tenant {OTHER}, found {theirs}", theirs)
    return f"{path[:13]}… is 200 to its owner, 404 to another tenant"


def check_refuses_bad_input(stage: Stage) -> str:
    seen = []
    for what, wanted, request in requests(stage):
        answer = stage.ask("POST", **request)
        seen.append(answer.moment())
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if answer.status in wanted and kind == "application/problem+json":
            continue
        expected = f"{' or '.join(map(str, wanted))} as application/problem+json"
        raise Broken(
            stimulus=f"POST {request['path']} with {what}",
            rule="What can't be accepted is refused at once: a 4xx as problem+json that says what is wrong.",
            difference=f"expected {expected}, found {answer.status or answer} as {kind or 'nothing'}",
            evidence=seen,
            costs="A 500 makes clients try the same mistake again for ever; an accepted mistake fails hours later, "
            "where nobody who made it looks.",
            look=LOOK,
        )
    return f"{len(seen)} kinds of bad input, each a 4xx as problem+json"


def check_refusals_leave_no_row(stage: Stage) -> str:
    asked = []
    for what, _, request in requests(stage):
        before = stage.counts(*TABLES)
        answer = stage.ask("POST", **request)
        after = stage.counts(*TABLES)
        if not 400 <= answer.status < 500:
            continue  # refuses-bad-input has a word on that
        asked.append(answer.moment())
        if before != after:
            left = {table: after[table] - before[table] for table in TABLES if after[table] != before[table]}
            told = ", ".join(f"{table} {number:+}" for table, number in left.items())
            raise Broken(
                stimulus=f"POST {request['path']} with {what}; rows were counted before and after",
                rule="Domain row, job, outbox row and stored answer are one transaction; a refusal writes none.",
                difference=f"expected no new row, found {told}",
                evidence=[*asked, Moment(time.time(), f"rows: {told}", "left by a refusal")],
                costs="A payout that was refused, and stands in the books; a report that nobody will ever make.",
                look=LOOK,
            )
    return f"{len(asked)} refused requests, no new row in {', '.join(TABLES)}"


def check_unknown_job(stage: Stage) -> str:
    seen = [stage.ask("GET", f"/jobs/{name}") for name in ("00000000-0000-4000-8000-000000000000", "7", "..%2f..")]
    for answer in seen:
        if answer.status != 404:
            raise Broken(
                stimulus=answer.request,
                rule="A job that does not exist is a 404.",
                difference=f"expected 404, found {answer}",
                evidence=[each.moment("this one" if each is answer else "") for each in seen],
                costs="A client that mistyped an id is told that your service is broken.",
                look="shared/views.py is given: compare it with solutions/",
            )
    return "404 for three ids that nobody has"


def check_same_key_same_answer(stage: Stage) -> str:
    key = f"same-{stage.seed}"
    path, body = "/v1/payouts", stage.payout()
    seen = [stage.ask("POST", path, body, key=key) for _ in range(3)]
    seen += [stage.ask("POST", "/v1/reports", REPORT, key=key), stage.ask("POST", "/v1/reports", REPORT, key=key)]
    theirs = stage.ask("POST", "/v1/reports", REPORT, key=key, tenant=OTHER)
    payouts, reports = seen[:3], seen[3:]
    for group in (payouts, reports):
        for answer in group:
            where = answer.headers.get("Location")
            also = [text for text, differs in (
                ("another body", answer.text != group[0].text),
                (f"Location {where}", where != group[0].headers.get("Location")),
            ) if differs]  # fmt: skip
            if answer.status != 202 or answer.job != group[0].job or also:
                raise key_broken(
                    f"{group[0].request.partition(' Idem')[0]} several times, with one key and one body",
                    "The same request with the same key has one answer: status, Location and body, to the byte.",
                    f"expected 202 and job {group[0].job}, found {answer}"
                    + (f", with {' and '.join(also)}" if answer.job == group[0].job and also else ""),
                    seen, answer,
                )  # fmt: skip
    if reports[0].job == payouts[0].job:
        raise key_broken(
            "POST /v1/reports with a key that POST /v1/payouts has used",
            "A key counts for one tenant, method and route.",
            f"expected a job of its own, found {reports[0]}", seen, reports[0],
        )  # fmt: skip
    if theirs.status != 202 or theirs.job == reports[0].job:
        raise key_broken(
            f"POST /v1/reports with a key that another tenant has used ({OTHER})",
            "A key counts for one tenant, method and route.",
            f"expected 202 and a job of its own, found {theirs}", [*seen, theirs], theirs,
        )  # fmt: skip
    return f"three payouts by one key are job {str(payouts[0].job)[:8]}; keys are a tenant's and a route's own"


def check_same_key_other_body(stage: Stage) -> str:
    key = f"other-{stage.seed}"
    first = stage.ask("POST", "/v1/payouts", stage.payout(), key=key)
    second = stage.ask("POST", "/v1/payouts", {**stage.payout(), "amount_cents": 99}, key=key)
    if second.status != 422:
        raise key_broken(
            "POST /v1/payouts twice: one key, two amounts",
            "A key belongs to the request that it came with: with another body it is refused with 422.",
            f"expected 422, found {second}", [first, second], second,
        )  # fmt: skip
    return "422 for the second amount"


def check_same_key_in_flight(stage: Stage) -> str:
    for n in range(TRIES):  # a stall may come just here: the first scene that ends well counts, else the last
        key = f"flight-{stage.seed}-{n}"
        held, answered, second = in_flight(stage, key)
        if second.status == 409:
            break
    seen = [answered, second]
    if second.status != 409 or not second.headers.get("Retry-After"):
        found = f"{second}" + (" without Retry-After" if second.status == 409 else "")
        broken = key_broken(
            "two requests with one key; the first was held up in the database when the second came",
            "While a request is being worked on, another with its key is answered with 409 and Retry-After, at once.",
            f"expected 409 with Retry-After, found {found}", seen, second,
        )  # fmt: skip
        broken.evidence.insert(0, held)
        raise broken
    if not answered.status:
        raise Unknown(f"the first request was to be answered once it could go on: {answered}")
    third = stage.asked("POST", "/v1/reports", REPORT, key=key)
    if (third.status, third.job) != (202, answered.job):
        raise key_broken(
            "the same request again, after the first was answered",
            "After the 409 the client comes back, and gets the first one's answer.",
            f"expected 202 and job {answered.job}, found {third}", [*seen, third], third,
        )  # fmt: skip
    return f"409 in {second.ms:.0f} ms beside a request in flight, then its answer"


def check_stays_quick(stage: Stage) -> str:
    burst = quickest(stage)
    posts, wrong = burst.posts, burst.wrong
    if wrong or burst.too_slow:
        worst = wrong[0] if wrong else max(posts, key=lambda answer: answer.ms)
        raise Broken(
            stimulus=f"{BURST} exports of a year, {SIDE_BY_SIDE} at a time, nothing else going on",
            rule="Accepting costs a transaction: the 95th percentile stays within 400 ms, or twelve times that of a "
            "request that does nothing, whichever is more.",
            difference=f"expected {BURST} times 202, found {worst}"
            if wrong
            else f"expected p95 ≤ {burst.limit:.0f} ms, found {burst.took:.0f} ms, the best of {ROUNDS} rounds",
            evidence=[answer.moment("the worst" if answer is worst else "") for answer in posts],
            costs="Month's end: everybody exports at once, and the API is down for those who want to pay.",
            look=LOOK,
        )
    beside = f"doing nothing takes {burst.base:.0f} ms"
    return f"p95 {burst.took:.0f} ms over {BURST} exports, {SIDE_BY_SIDE} at a time; {beside}"
