"""Many clients who listen to nothing: what they cost Postgres, and whoever uses the API meanwhile."""

import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from listening import CONNECT, request
from play import refused, stopped

from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import OTHER, TENANT, Stage
from accepted.grade.verdict import Broken
from billing.seed import PERIOD

CROWD, AT_ONCE = 300, 20
OPENING = 60.0  # s for all of them
COMMITS = 100.0  # a second, that so many streams may cost
WINDOW = 2.0  # s in which Postgres' transactions are counted
REQUESTS, SIDE_BY_SIDE = 60, 4
TRIES = 3  # a crowd that costs something costs it each time; a machine that stalls does so once
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


@dataclass
class Idle:
    """`base` and `beside`: the API's answers without the crowd, and with it. `commits`: transactions a second."""

    open: int = 0
    refused: str = ""
    commits: float = 0.0
    base: list[Answer] = field(default_factory=list)
    beside: list[Answer] = field(default_factory=list)
    marks: list[Moment] = field(default_factory=list)


def idle(stage: Stage) -> Idle:
    """Half of them follow a job that waits, half a tenant to whom nothing happens. Nobody else is at work."""
    done = Idle()
    stopped(stage, "worker-cpu", "worker-io", "relay", "scheduler")
    body = {"format": "csv", "from": f"{PERIOD[0]}", "to": f"{PERIOD[0]}"}
    waits = stage.asked("POST", "/v1/reports", body, seconds=20, tenant=OTHER)
    if waits.status != 202 or not waits.job:
        raise refused(waits)
    done.base = _asked(stage)
    paths = [f"/jobs/{waits.job}/events", "/events"]
    crowd: list[socket.socket] = []
    try:
        done.refused = _let_in(stage, crowd, paths)
        done.open = len(crowd)
        done.marks.append(Moment(time.time(), f"{done.open} streams are open, and nothing happens on them"))
        for _ in range(TRIES):
            done.commits = _commits(stage)
            done.marks.append(Moment(time.time(), f"{done.commits:.0f} transactions a second"))
            done.beside = _asked(stage)
            if not too_costly(done):
                break
    finally:
        for one in crowd:
            one.close()
    return done


def _let_in(stage: Stage, crowd: list[socket.socket], paths: list[str]) -> str:
    """Opens streams, some at a time; who is sent away comes again. Returns the last other answer than 200."""
    at, odd, deadline = urlsplit(stage.stack.addresses.stream), "", time.monotonic() + OPENING
    while len(crowd) < CROWD and time.monotonic() < deadline:
        some: list[socket.socket] = []
        for number in range(min(AT_ONCE, CROWD - len(crowd))):
            one = socket.create_connection((at.hostname or "", at.port or 80), CONNECT)
            one.sendall(request(paths[number % len(paths)], OTHER))
            some.append(one)
        for one in some:
            first = _first_line(one)
            if " 200" in first:
                crowd.append(one)
            else:
                odd = first
                one.close()
    return odd


def _first_line(one: socket.socket) -> str:
    one.settimeout(CONNECT)
    said = b""
    try:
        while b"\r\n" not in said and (came := one.recv(4096)):
            said += came
    except OSError as error:
        return f"no answer ({type(error).__name__})"
    return said.split(b"\r\n")[0].decode(errors="replace") or "none: it hung up"


def _commits(stage: Stage) -> float:
    before, began = stage.value(_COMMITS), time.monotonic()
    stage.until(lambda: time.monotonic() - began >= WINDOW, WINDOW + 5)
    return float(stage.value(_COMMITS) - before) / (time.monotonic() - began)


def _asked(stage: Stage) -> list[Answer]:
    request = {"method": "GET", "path": "/jobs", "seconds": 20.0, "tenant": TENANT}
    stage.at_once([request] * SIDE_BY_SIDE, SIDE_BY_SIDE)  # connections, and whatever is made on first use
    return stage.at_once([request] * REQUESTS, SIDE_BY_SIDE)


def too_costly(done: Idle) -> Broken | None:
    """What breaks the rule, if anything does."""
    limit = max(300.0, 6 * p95(done.base))
    failed = [answer for answer in done.beside if answer.status != 200]
    if done.open < CROWD:
        odd = f"expected {CROWD} streams to be let in, found {done.open}; the last other answer: {done.refused}"
    elif done.commits > COMMITS:
        odd = f"expected at most {COMMITS:.0f} transactions a second, found {done.commits:.0f}"
    elif failed or p95(done.beside) > limit:
        odd = f"expected the API's p95 within {limit:.0f} ms, found {p95(done.beside):.0f} ms, {len(failed)} failures"
    else:
        return None
    return Broken(
        stimulus=f"{CROWD} clients opened a stream on which nothing happens; all workers, relay and scheduler were "
        f"stopped; then {len(done.beside)} requests to the API, {SIDE_BY_SIDE} at a time",
        rule=f"Who listens to nothing costs next to nothing: {CROWD} idle streams come to at most {COMMITS:.0f} "
        "transactions a second in Postgres, and the API's p95 stays within 300 ms, or six times what it was.",
        difference=odd,
        evidence=[*done.marks, *(answer.moment() for answer in done.beside)],
        costs="Two thousand open browser tabs, and Postgres does nothing but answer that there is nothing new.",
        look="shared/stream.py; make hint-8",
        logs=["stream"],
    )


def p95(answers: list[Answer]) -> float:
    return sorted(answer.ms for answer in answers)[int(0.95 * len(answers)) - 1]
