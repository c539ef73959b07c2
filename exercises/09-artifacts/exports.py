"""The reports that exercise 9 asks for, and their files as users get them."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from accepted.faults.store import Call
from accepted.grade import evidence, invoices
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import PLAIN, TENANT, Stage
from accepted.grade.verdict import Broken, Unknown
from billing.seed import PERIOD

TTL = 5.0  # s: URL_TTL, as exercise.toml has it
TRIES = 5  # fresh URLs of a file, where the machine is so slow that their time is over
WIDE = 100_000  # bytes of a line
MONTHS = {"big": "2031-01", "begin": "2031-02", "part": "2031-03", "end": "2031-04"}
OVER = ("succeeded", "failed", "cancelled")
GIVEN = "Who asked for a report gets a URL that leads to its file, for a while, without a token."


@dataclass
class Report:
    """A report that was asked for, and how many lines it has to have (0: whatever its job says)."""

    name: str
    tenant: str
    answer: Answer
    lines: int = 0
    keys: set[str] = field(default_factory=set)  # under which something of it was seen in the store

    @property
    def job(self) -> str:
        return self.answer.job or ""

    def seen(self, stage: Stage) -> list[Moment]:
        """Calls to the store for it, as far as they are known to be its own, and what the tree wrote of its job."""
        told = [Moment(call.at, str(call)) for call in list(stage.store.calls) if call.key in self.keys]
        return [*told, *evidence.job_events(stage.stack.addresses.database, [self.job])]


def small(stage: Stage, name: str, tenant: str) -> Report:
    """Some pages of the data that are there anyway."""
    body = {"format": "csv", "from": f"{PERIOD[0]}", "to": f"{PERIOD[1]}"}
    return _ask(stage, name, tenant, body, 0)


def large(stage: Stage, name: str, parts: int) -> Report:
    """Of so many parts, over a month with invoices of its own: one of 7.4 MB for each part but the last, of 1 MB."""
    month, database = MONTHS[name], stage.stack.addresses.database
    numbers = [f"{name}-{n}" for n in range(1, parts)]
    invoices.write(database, TENANT, f"{month}-01", numbers, 74, WIDE)
    invoices.write(database, TENANT, f"{month}-01", [f"{name}-last"], 10, WIDE)
    body = {"format": "csv", "from": f"{month}-01", "to": f"{month}-28"}
    return _ask(stage, name, TENANT, body, 74 * (parts - 1) + 10)


def _ask(stage: Stage, name: str, tenant: str, body: dict[str, Any], lines: int) -> Report:
    answer = stage.asked("POST", "/v1/reports", body, tenant=tenant, seconds=30)
    if answer.status != 202 or not answer.job:
        raise Broken(
            stimulus=answer.request, rule="A report is accepted with 202.",
            difference=f"expected 202, found {answer}: {answer.text[:150]}", evidence=[answer.moment()],
            costs="Nothing can be asked for.", look="exercise 1",
        )  # fmt: skip
    return Report(name, tenant, answer, lines)


def job_of(stage: Stage, one: Report) -> dict[str, Any]:
    """The job as its tenant sees it."""
    answer = stage.asked("GET", f"/jobs/{one.job}", tenant=one.tenant, seconds=30)
    found = answer.body.get("job") if isinstance(answer.body, dict) else None
    return found if isinstance(found, dict) else {}


def over(stage: Stage, one: Report) -> bool:
    return job_of(stage, one).get("state") in OVER


def url_of(stage: Stage, one: Report) -> str:
    """The URL of its file. Raises Broken where its job shows none, Unknown where nothing shows the job."""
    if not (job := job_of(stage, one)):
        raise Unknown(f"job {one.job[:8]} was to show its artifact, and nothing was answered for it")
    artifact = job.get("artifact")
    if not isinstance(artifact, dict) or not artifact.get("url"):
        raise Broken(
            stimulus=f"GET /jobs/{one.job[:8]}, whose report is made", rule=GIVEN,
            difference=f"expected artifact.url, found {', '.join(sorted(job))}", evidence=one.seen(stage),
            costs="The report lies in the store, and whoever asked for it can't have it.",
            look="shared/artifacts.py; make hint-9",
        )  # fmt: skip
    return str(artifact["url"])


@dataclass(frozen=True)
class Got:
    """What a URL came to: `status` of the last answer, the file's `lines` (no header) and `size`, and the redirects."""

    status: int
    lines: int = -1
    size: int = 0
    through: tuple[str, ...] = ()

    @property
    def opened(self) -> bool:
        return self.status == 200

    def __str__(self) -> str:
        return f"{self.status}, {self.size:,} bytes" if self.opened else f"{self.status}"


def get(url: str, headers: dict[str, str] | None = None) -> Got:
    """What someone gets who has the URL, and nothing else unless `headers` say so."""
    lines, size = -1, 0
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30, **PLAIN) as answer:
            through = tuple(str(one.headers.get("Location", "")) for one in answer.history)
            if answer.status_code != 200:
                return Got(answer.status_code, through=through)
            for block in answer.iter_bytes():
                lines, size = lines + block.count(b"\n"), size + len(block)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Got(0)
    return Got(200, lines, size, through)


@dataclass(frozen=True)
class Fetched:
    """A URL, when it was given out at the latest, what it came to, and whether that was well within its time."""

    url: str
    at: float
    got: Got
    in_time: bool


def fetched(stage: Stage, one: Report) -> Fetched:
    """Its file, by a URL that is fresh again where the time of the last was over."""
    for _ in range(TRIES):
        asked, url, at = time.monotonic(), url_of(stage, one), time.time()
        got = get(url)
        found = Fetched(url, at, got, time.monotonic() - asked < TTL - 1)
        if got.opened or found.in_time:
            break
    return found


def whole(stage: Stage, one: Report) -> str | None:
    """What is wrong with its file, if anything is."""
    job = job_of(stage, one)
    if job.get("state") != "succeeded":
        return f"expected job {one.job[:8]} to succeed, and it is {job.get('state') or 'not to be found'}"
    got = fetched(stage, one).got
    told = job.get("result") or {}
    lines, size = one.lines or told.get("lines"), told.get("bytes")
    if (got.lines, got.size) != (lines, size):
        return f"expected {lines} lines in {size} bytes, as the job says, found {got.lines} in {got.size:,} ({got})"
    return None


def of_store(call: Call) -> bool:
    return call.op in ("begin", "part", "complete")
