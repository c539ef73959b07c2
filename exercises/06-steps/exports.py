"""The exports that exercise 6 asks for: each of two parts, over a month of its own, with invoices that nobody else has.

A part is recognised in the object store by its size, whichever way the tree stores it and whatever it calls it. The
plan that cuts a report (`billing.render.csv`) is given, and cuts at 7 MiB.
"""

from dataclasses import dataclass

import httpx

from accepted.faults.store import Call
from accepted.grade import evidence, invoices
from accepted.grade.answer import Answer
from accepted.grade.evidence import Moment
from accepted.grade.stage import PLAIN, TENANT, Stage
from accepted.grade.verdict import Broken
from billing.seed import token

NAMES = ("works", "query", "parts", "upload", "hung", "slow")
OVER = ("succeeded", "failed", "cancelled")
BIG, SMALL = 74, 10  # lines of the two invoices: one fills a part, the other is the rest
LINES = BIG + SMALL
WIDE = 100_000  # bytes of a line
FIRST, SECOND = BIG * WIDE, SMALL * WIDE  # bytes of the parts of export number 0, without what belongs to every row
STEP, ROOM = 50_000, 20_000  # by so much the next export's parts are larger; at most so much belongs to the rows


@dataclass
class Export:
    """A report that was asked for."""

    name: str
    answer: Answer

    @property
    def job(self) -> str:
        return self.answer.job or ""

    def stored(self, stage: Stage, part: int | None = None) -> list[Call]:
        """The calls with which parts of it (or that one) were stored, in order of time."""
        found = [call for call in list(stage.store.calls) if call.stored and (which := piece(call)) is not None
                 and which[0] == self.name and part in (None, which[1])]  # fmt: skip
        return sorted(found, key=lambda call: call.at)

    def seen(self, stage: Stage, marked: dict[int, str] | None = None) -> list[Moment]:
        """Its calls to the store, and what the tree wrote of its job. `marked`: remarks by a call's id()."""
        mine = self.stored(stage)
        keys = {call.key for call in mine}
        other = [call for call in list(stage.store.calls) if call.key in keys and call not in mine]
        told = [Moment(call.at, str(call), (marked or {}).get(id(call), "")) for call in (*mine, *other)]
        return [*told, *evidence.job_events(stage.stack.addresses.database, [self.job])]


def piece(call: Call) -> tuple[str, int] | None:
    """(export, part) of what was stored with that call, or None where it is no part of an export."""
    for part, base in ((1, FIRST), (2, SECOND)):
        number, over = divmod(call.size - base, STEP)
        if 0 <= number < len(NAMES) and over < ROOM:
            return NAMES[number], part
    return None


def month(name: str) -> tuple[str, str]:
    """Its first and its last day."""
    number = NAMES.index(name) + 1
    return f"2031-{number:02}-01", f"2031-{number:02}-28"


def export(stage: Stage, name: str) -> Export:
    """Writes its invoices and asks for it."""
    write(stage, name)
    return ask(stage, name)


def write(stage: Stage, name: str) -> None:
    """Its invoices: a second's work on a busy machine."""
    more = NAMES.index(name) * STEP
    for which, lines in (("first", BIG), ("second", SMALL)):
        invoices.write(stage.stack.addresses.database, TENANT, month(name)[0], [f"{name}-{which}"], lines, WIDE, more)


def ask(stage: Stage, name: str) -> Export:
    """Raises Broken where it is not accepted."""
    first, last = month(name)
    answer = stage.asked("POST", "/v1/reports", {"format": "csv", "from": first, "to": last}, seconds=20)
    if answer.status != 202 or not answer.job:
        raise Broken(
            stimulus=answer.request, rule="A report is accepted with 202.",
            difference=f"expected 202, found {answer}: {answer.text[:150]}", evidence=[answer.moment()],
            costs="Nothing can be asked for.", look="exercise 1",
        )  # fmt: skip
    return Export(name, answer)


def late_invoice(stage: Stage, name: str) -> None:
    """One more invoice of one line, in that export's month."""
    invoices.write(stage.stack.addresses.database, TENANT, month(name)[1], [f"{name}-late"], 1, 10)


def file_of(stage: Stage, one: Export) -> tuple[int, int]:
    """(lines, bytes) of its file, as its user downloads it; the header is no line. (-1, 0) where there is none."""
    lines, size = -1, 0
    url = f"{stage.stack.addresses.web}/jobs/{one.job}/artifact"
    asked = {"headers": {"Authorization": f"Bearer {token(TENANT)}"}, "timeout": 30, **PLAIN}
    with httpx.stream("GET", url, follow_redirects=True, **asked) as answer:
        if answer.status_code == 200:
            for block in answer.iter_bytes():
                lines, size = lines + block.count(b"\n"), size + len(block)
    return lines, size
